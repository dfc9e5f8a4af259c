/* The head of an HTTP/1.1 request (RFC 9112), strictly: what two implementations could read differently is refused. */
#include "base/str.h"
#include "httpd/internal.h"

#include <string.h>

struct line {
    const char *s;
    size_t len;
};

/* The next line without its CRLF (or LF); false at the end. */
static bool next_line(const char **p, const char *end, struct line *ret)
{
    const char *lf = memchr(*p, '\n', (size_t)(end - *p));

    if (!lf)
        return false;
    ret->s = *p;
    ret->len = (size_t)(lf - *p);
    if (ret->len && lf[-1] == '\r')
        ret->len--;
    *p = lf + 1;
    return true;
}

static bool target_valid(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)s[i] <= 0x20 || s[i] == 0x7f)
            return false;
    }
    return len > 0 && (s[0] == '/' || (len == 1 && s[0] == '*'));
}

/* The absolute form that proxies get is reduced to the origin form. */
static struct line origin_form(struct line target)
{
    static const struct line root = {"/", 1};
    const char *p = memmem(target.s, target.len, "://", 3);
    const char *end = target.s + target.len;

    if (!target.len || target.s[0] == '/' || !p)
        return target;
    p += 3;
    while (p < end && *p != '/')
        p++;
    return p < end ? (struct line){p, (size_t)(end - p)} : root;
}

static int request_line_of(struct h1 *h1, struct request *r, struct line line)
{
    const char *first = memchr(line.s, ' ', line.len);
    const char *last = memrchr(line.s, ' ', line.len);
    struct line target;
    size_t version_len;

    if (!first || first == last || !token_valid(line.s, (size_t)(first - line.s)))
        return 400;
    version_len = line.len - (size_t)(last + 1 - line.s);
    if (version_len != 8 || memcmp(last + 1, "HTTP/", 5) != 0)
        return 400;
    if (memcmp(last + 6, "1.1", 3) != 0 && memcmp(last + 6, "1.0", 3) != 0)
        return 505;
    target = origin_form((struct line){first + 1, (size_t)(last - first - 1)});
    if (!target_valid(target.s, target.len))
        return 400;
    h1->http10 = last[8] == '0';
    request_line(r, line.s, (size_t)(first - line.s), target.s, target.len);
    return 0;
}

static int field_of(struct request *r, struct line line)
{
    const char *colon = memchr(line.s, ':', line.len);
    const char *value, *end = line.s + line.len;

    /* This also refuses folded lines and blanks before the colon. */
    if (!colon || !token_valid(line.s, (size_t)(colon - line.s)))
        return 400;
    value = colon + 1;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (!field_value_valid(value, (size_t)(end - value)))
        return 400;
    request_field(r, line.s, (size_t)(colon - line.s), value, (size_t)(end - value));
    return 0;
}

/* How often the header occurs; *ret_value is the last one. */
static int count_field(const struct request *r, const char *name, const char **ret_value)
{
    const char *p = buf_str(&r->text) + r->fields, *end = buf_str(&r->text) + r->text.len;
    int n = 0;

    while (p < end) {
        const char *value = p + strlen(p) + 1;

        if (str_eq(p, name)) {
            n++;
            *ret_value = value;
        }
        p = value + strlen(value) + 1;
    }
    return n;
}

/* How the body ends. Length and encoding together, or either twice, is how requests are smuggled. */
static int body_of(struct h1 *h1, const struct request *r)
{
    const char *length = NULL, *encoding = NULL;
    int lengths = count_field(r, "content-length", &length);
    int encodings = count_field(r, "transfer-encoding", &encoding);
    int64_t n = 0;

    if (lengths + encodings > 1)
        return 400;
    if (encodings && !str_eq_nocase(encoding, "chunked"))
        return 501;
    if (lengths && (*length == '-' || *length == '+' || !str_to_i64(length, 0, INT64_MAX / 2, &n)))
        return 400;
    if ((uint64_t)n > r->body.max)
        return 413;
    h1->remaining = (size_t)n;
    h1->state = encodings ? H1_CHUNK_SIZE : H1_BODY;
    return 0;
}

/* One of the comma-separated words of the connection header. */
static bool connection_says(const struct request *r, const char *word)
{
    const char *p = request_header(r, "connection");
    size_t len = strlen(word);

    while (p && (p = str_find_nocase(p, word))) {
        bool starts = p == request_header(r, "connection") || p[-1] == ',' || p[-1] == ' ' || p[-1] == '\t';

        if (starts && (!p[len] || p[len] == ',' || p[len] == ' ' || p[len] == '\t'))
            return true;
        p += len;
    }
    return false;
}

int h1_parse_head(struct conn *conn, struct request *r, const char *head, size_t len)
{
    struct h1 *h1 = &conn->h1;
    const char *p = head, *host;
    struct line line;
    int status = next_line(&p, head + len, &line) ? request_line_of(h1, r, line) : 400;

    while (!status && next_line(&p, head + len, &line) && line.len)
        status = field_of(r, line);
    if (status)
        return status;
    if (r->text.overflow)
        return 431;
    if (count_field(r, "host", &host) > 1 || (!h1->http10 && !request_header(r, "host")))
        return 400;
    h1->keep_alive = h1->http10 ? connection_says(r, "keep-alive") : !connection_says(r, "close");
    return body_of(h1, r);
}
