/* Proxies of the environment, by the rules of Go's net/http, which kubectl and every other client of the cluster
 * follow. A person who has set NO_PROXY for them must not have to set it anew for us. */
#include "kube/proxy.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <string.h>

struct address {
    unsigned char bytes[16];
    int bits; /* 32 or 128; 0: no address */
};

static struct address address_of(const char *host)
{
    struct address a = {.bits = 32};

    if (inet_pton(AF_INET, host, a.bytes) == 1)
        return a;
    a.bits = inet_pton(AF_INET6, host, a.bytes) == 1 ? 128 : 0;
    return a;
}

bool kube_host_is_loopback(const char *host)
{
    static const unsigned char six[16] = {[15] = 1};
    struct address a = address_of(host);

    if (a.bits == 32)
        return a.bytes[0] == 127;
    return a.bits == 128 ? memcmp(a.bytes, six, sizeof(six)) == 0 : str_eq(host, "localhost");
}

static bool in_block(const struct address *a, const char *block, const char *prefix_length)
{
    struct address base = address_of(block);
    int64_t bits;

    if (base.bits == 0 || base.bits != a->bits || !str_to_i64(prefix_length, 0, base.bits, &bits))
        return false;
    if (memcmp(a->bytes, base.bytes, (size_t)bits / 8) != 0)
        return false;
    int rest = (int)bits % 8;
    return rest == 0 || (a->bytes[bits / 8] ^ base.bytes[bits / 8]) >> (8 - rest) == 0;
}

static bool name_matches(const char *host, const char *entry)
{
    if (str_has_prefix(entry, "*."))
        entry++;
    if (*entry == '.')
        return entry[1] && strlen(host) > strlen(entry) && str_has_suffix_nocase(host, entry);
    if (str_eq_nocase(host, entry))
        return true;
    size_t n = strlen(entry), len = strlen(host);
    return len > n && str_has_suffix_nocase(host, entry) && host[len - n - 1] == '.';
}

/* Cuts "host:port" or "[v6]:port" and says whether the port, if any, is ours. */
static bool split_port(char **entry, int port)
{
    char *colon = strrchr(*entry, ':'), *end = NULL;
    int64_t wanted = port;

    if (**entry == '[' && (end = strchr(*entry, ']'))) {
        *end = '\0';
        (*entry)++;
        colon = end[1] == ':' ? end + 1 : NULL;
    } else if (colon && strchr(*entry, ':') != colon) {
        return true; /* an IPv6 address without brackets */
    }
    if (!colon)
        return true;
    *colon = '\0';
    return str_to_i64(colon + 1, 1, 65535, &wanted) && wanted == port;
}

static bool entry_matches(char *entry, const char *host, int port)
{
    struct address a = address_of(host);
    char *slash = strchr(entry, '/');

    if (str_eq(entry, "*"))
        return true;
    if (slash) {
        *slash = '\0';
        return in_block(&a, entry, slash + 1);
    }
    if (!split_port(&entry, port))
        return false;
    if (a.bits == 0)
        return *entry && name_matches(host, entry);
    struct address b = address_of(entry);
    return b.bits == a.bits && memcmp(a.bytes, b.bytes, (size_t)a.bits / 8) == 0;
}

bool kube_no_proxy(const char *list, const char *host, int port)
{
    _cleanup_(freep) char *copy = xstrdup(list);
    char *rest = copy;
    const char *separators = ", \t";

    for (char *entry; (entry = strtok_r(rest, separators, &rest));)
        if (entry_matches(entry, host, port))
            return true;
    return false;
}

bool kube_proxy_is_usable(const char *url)
{
    struct http_url parsed;

    return http_url_parse(url, &parsed, NULL) == 0;
}

/* The first of the two names that is set, or NULL. */
static const char *first_set(const char *upper, const char *lower)
{
    return env_get(upper) ? upper : env_get(lower) ? lower : NULL;
}

int kube_proxy_from_env(char **ret, const struct http_url *server, struct err *err)
{
    const char *name = first_set("HTTPS_PROXY", "https_proxy");
    const char *except = first_set("NO_PROXY", "no_proxy");

    *ret = NULL;
    if (!name || !str_eq(server->scheme, "https") || kube_host_is_loopback(server->host))
        return 0;
    if (except && kube_no_proxy(env_get(except), server->host, server->port))
        return 0;
    const char *value = env_get(name);
    _cleanup_(freep) char *url = strstr(value, "://") ? xstrdup(value) : xasprintf("http://%s", value);
    if (!kube_proxy_is_usable(url)) /* the value is not shown: it may hold a password */
        return err_set(
            err, ERR_INVALID, "%s: only http and https proxies are understood, for example http://proxy:3128", name);
    *ret = TAKE_PTR(url);
    return 0;
}
