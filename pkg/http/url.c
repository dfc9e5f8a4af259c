/* URLs taken apart without trust.
 *
 * A URL that two parsers could read differently is refused instead of interpreted: no white space, control byte or
 * backslash anywhere, one '@' at most, no percent-encoding and nothing but ASCII in the host, no IPv4 address in any
 * form but the dotted one (libcurl reads 2130706433 and 0x7f.1 as 127.0.0.1). So the host that a caller has checked is
 * the host that is connected to (see transfer.c, which builds libcurl's URL from these parts). It does not look at the
 * path, and no error repeats any part of the text, because a query may hold a signature. */
#include "http/url.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <string.h>

static const char *scheme(const char *text, struct http_url *ret)
{
    static const struct {
        const char *name;
        int port;
    } schemes[] = {{"http", 80}, {"https", 443}};

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t len = strlen(schemes[i].name);
        if (str_has_prefix_nocase(text, schemes[i].name) && str_has_prefix(text + len, "://")) {
            (void)str_copy(ret->scheme, sizeof(ret->scheme), schemes[i].name);
            ret->port = schemes[i].port;
            return text + len + strlen("://");
        }
    }
    return NULL;
}

static bool has_forbidden_byte(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f || *s == '\\')
            return true;
    return false;
}

/* Lower-cases into host[]; what is allowed there is checked by the callers. */
static bool copy_host(const char *s, size_t len, struct http_url *ret)
{
    if (len == 0 || len >= sizeof(ret->host))
        return false;
    memcpy(ret->host, s, len);
    ret->host[len] = '\0';
    (void)str_lower(ret->host);
    return true;
}

/* Then it is an address for some parsers and must be one for all (URL Standard, "ends in a number"). */
static bool ends_in_number(const char *host)
{
    const char *dot = strrchr(host, '.'), *label = dot ? dot + 1 : host;

    if (str_has_prefix(label, "0x")) {
        for (label += 2; ascii_isxdigit(*label);)
            label++;
        return !*label;
    }
    if (!*label)
        return false;
    while (ascii_isdigit(*label))
        label++;
    return !*label;
}

static bool parse_name(const char *s, size_t len, struct http_url *ret)
{
    struct in_addr address;

    for (size_t i = 0; i < len; i++)
        if (!ascii_isalnum(s[i]) && s[i] != '-' && s[i] != '.' && s[i] != '_')
            return false;
    return copy_host(s, len, ret) && (!ends_in_number(ret->host) || inet_pton(AF_INET, ret->host, &address) == 1);
}

static bool parse_ipv6(const char *s, size_t len, struct http_url *ret)
{
    struct in6_addr address;

    return copy_host(s, len, ret) && inet_pton(AF_INET6, ret->host, &address) == 1;
}

/* Returns where the host ends within [s, end), or NULL when it is no host. */
static const char *parse_host(const char *s, const char *end, struct http_url *ret)
{
    if (s < end && *s == '[') {
        const char *close = memchr(s, ']', (size_t)(end - s));
        return close && parse_ipv6(s + 1, (size_t)(close - s - 1), ret) ? close + 1 : NULL;
    }
    const char *colon = memchr(s, ':', (size_t)(end - s));
    const char *stop = colon ? colon : end;
    return parse_name(s, (size_t)(stop - s), ret) ? stop : NULL;
}

/* s is at the end of the host: nothing, or ":port". */
static bool parse_port(const char *s, const char *end, struct http_url *ret)
{
    int port = 0;

    if (s == end)
        return true;
    if (*s++ != ':' || s == end)
        return false;
    for (; s < end; s++) {
        if (!ascii_isdigit(*s))
            return false;
        port = port * 10 + (*s - '0');
        if (port > 65535)
            return false;
    }
    ret->port = port;
    return port > 0;
}

int http_url_parse(const char *text, struct http_url *ret, struct err *err)
{
    *ret = (struct http_url){0};
    if (has_forbidden_byte(text))
        return err_set(err, ERR_INVALID, "the URL holds white space, a control byte or a backslash");
    const char *s = scheme(text, ret);
    if (!s)
        return err_set(err, ERR_INVALID, "the URL does not begin with http:// or https://");
    const char *end = s + strcspn(s, "/?#");
    const char *at = memchr(s, '@', (size_t)(end - s));
    if (at) {
        ret->has_userinfo = true;
        s = at + 1;
    }
    s = parse_host(s, end, ret);
    if (!s)
        return err_set(err, ERR_INVALID, "the URL has no valid host name or address");
    if (!parse_port(s, end, ret))
        return err_set(err, ERR_INVALID, "the URL's port is not a number from 1 to 65535");
    ret->path = end;
    return 0;
}

bool http_url_same_origin(const struct http_url *a, const struct http_url *b)
{
    return !a->has_userinfo && !b->has_userinfo && a->port == b->port && str_eq(a->scheme, b->scheme) &&
           str_eq(a->host, b->host);
}
