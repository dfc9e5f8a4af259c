/* A request as both protocols deliver it: strings in one buffer with a cap, found again by walking.
 *
 * Nothing is decoded and nothing is normalised: path and query are the bytes that were sent, up to and after the first
 * '?'. */
#include "base/mem.h"
#include "base/str.h"
#include "httpd/internal.h"

#include <string.h>

void request_init(struct request *r, size_t max_body)
{
    *r = (struct request){.text = BUF_INIT(2 * HEAD_MAX), .body = BUF_INIT(max_body)};
}

void request_done(struct request *r)
{
    buf_done(&r->text);
    buf_done(&r->body);
}

static void add_string(struct buf *b, const char *s, size_t len)
{
    buf_add(b, s, len);
    buf_putc(b, '\0');
}

void request_line(struct request *r, const char *method, size_t method_len, const char *target, size_t target_len)
{
    const char *mark = memchr(target, '?', target_len);
    size_t path_len = mark ? (size_t)(mark - target) : target_len;

    add_string(&r->text, method, method_len);
    r->path = r->text.len;
    add_string(&r->text, target, path_len);
    r->query = r->text.len;
    add_string(&r->text, mark ? mark + 1 : "", mark ? target_len - path_len - 1 : 0);
    r->fields = r->text.len;
}

void request_field(struct request *r, const char *name, size_t name_len, const char *value, size_t value_len)
{
    size_t at = r->text.len;

    add_string(&r->text, name, name_len);
    if (r->text.overflow)
        return;
    str_lower(r->text.data + at);
    add_string(&r->text, value, value_len);
}

const char *request_header(const struct request *r, const char *name)
{
    const char *p = buf_str(&r->text) + r->fields;
    const char *end = buf_str(&r->text) + r->text.len;

    while (p < end) {
        const char *value = p + strlen(p) + 1;

        if (str_eq(p, name))
            return value;
        p = value + strlen(value) + 1;
    }
    return NULL;
}

bool token_valid(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!ascii_isalnum(s[i]) && (!s[i] || !strchr("!#$%&'*+-.^_`|~", s[i])))
            return false;
    }
    return len > 0;
}

bool field_value_valid(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
            return false;
    }
    return true;
}

/* Of what ascii_isxdigit() has passed. */
static unsigned hex_digit(char c)
{
    return (unsigned)(ascii_isdigit(c) ? c - '0' : ascii_tolower(c) - 'a' + 10);
}

/* One decoded character of a form-encoded string; *p moves on. A stray '%' stands for itself. */
static char decode_next(const char **p)
{
    const char *s = *p;

    if (s[0] == '%' && ascii_isxdigit(s[1]) && ascii_isxdigit(s[2])) {
        *p += 3;
        return (char)(hex_digit(s[1]) << 4 | hex_digit(s[2]));
    }
    *p += 1;
    return *s == '+' ? ' ' : *s;
}

/* The name at p decodes to name: where its '=' or end is, else NULL. */
static const char *match_name(const char *p, const char *name)
{
    while (*p && *p != '=' && *p != '&') {
        if (!*name || decode_next(&p) != *name++)
            return NULL;
    }
    return *name ? NULL : p;
}

static bool decode_value(const char *p, char *ret, size_t size)
{
    size_t n = 0;

    while (*p && *p != '&') {
        char c = decode_next(&p);

        if (!c || n + 1 >= size)
            return false;
        ret[n++] = c;
    }
    ret[n] = '\0';
    return true;
}

bool httpd_query(const struct httpd_request *request, const char *name, char *ret, size_t size)
{
    for (const char *p = request->query; p && *p;) {
        const char *end = match_name(p, name);

        if (end)
            return decode_value(*end == '=' ? end + 1 : end, ret, size);
        p = strchr(p, '&');
        if (p)
            p++;
    }
    return false;
}
