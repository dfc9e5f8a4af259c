/* The bytes: numbers are varints of seven bits each, the sign folded into the lowest bit. A text begins with a varint
 * whose low three bits say what it is:
 *
 *   BYTES   the rest is its length; its bytes follow
 *   POOLED  the rest is its number in the pool
 *   REPEAT  the rest is the number of an anchor: the same text
 *   AROUND  the rest is the number of an anchor; a text before it and one after it follow
 *   SPLIT   two texts follow that make it together
 *   FORM    the rest is a form: no text, a UUID or 32 hexadecimal digits as 16 bytes, a decimal number as a varint
 */
#include "controller/pack_wire.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

enum tag { BYTES, POOLED, REPEAT, AROUND, SPLIT, FORM };
enum form { FORM_NULL, FORM_UUID, FORM_HEX, FORM_DECIMAL };

#define TAG_BITS 3
#define POOL_FROM 4   /* shorter ones cost less than a number */
#define ANCHOR_FROM 6 /* what is shorter is not looked for in others */
#define UUID_LEN 36
#define HEX_LEN 32
#define DECIMAL_MAX 18 /* digits that surely fit */

/* ---- bytes and numbers ---- */

static void put_varint(struct wire *w, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        buf_putc(w->out, (char)(n | 0x80));
    buf_putc(w->out, (char)n);
}

static const unsigned char *get_bytes(struct wire *w, size_t n)
{
    const unsigned char *bytes = w->at;

    if ((size_t)(w->end - w->at) < n)
        abort();
    w->at += n;
    return bytes;
}

static uint64_t get_varint(struct wire *w)
{
    uint64_t n = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned char byte = *get_bytes(w, 1);
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return n;
    }
    abort();
}

static uint64_t fold_sign(int64_t n)
{
    return ((uint64_t)n << 1) ^ (n < 0 ? UINT64_MAX : 0);
}

static int64_t unfold_sign(uint64_t n)
{
    return (int64_t)((n >> 1) ^ (n & 1 ? UINT64_MAX : 0));
}

void wire_number(struct wire *w, int64_t *member)
{
    if (w->direction == WIRE_WRITE)
        put_varint(w, fold_sign(*member));
    else
        *member = unfold_sign(get_varint(w));
}

/* Distances wrap around. That of an absent time and the distance 0 have changed places, since the former is frequent.
 */
void wire_time(struct wire *w, int64_t *member)
{
    uint64_t base = (uint64_t)w->base, absent = fold_sign((int64_t)(0 - base));

    if (w->direction == WIRE_WRITE) {
        uint64_t code = fold_sign((int64_t)((uint64_t)*member - base));
        put_varint(w, code == absent ? 0 : code == 0 ? absent : code);
        return;
    }
    uint64_t code = get_varint(w);
    code = code == absent ? 0 : code == 0 ? absent : code;
    *member = (int64_t)((uint64_t)unfold_sign(code) + base);
}

/* ---- texts: writing ---- */

static void put_tag(struct wire *w, enum tag tag, uint64_t rest)
{
    put_varint(w, rest << TAG_BITS | tag);
}

static void put_bytes(struct wire *w, const char *s, size_t len)
{
    put_tag(w, BYTES, len);
    buf_add(w->out, s, len);
}

static void put_shared(struct wire *w, const char *s, size_t len)
{
    if (len < POOL_FROM)
        put_bytes(w, s, len);
    else
        put_tag(w, POOLED, pool_hold(w->pool, s, len));
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_dash_of_uuid(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

/* 32 digits in lower case, with the dashes of a UUID or without. */
static bool read_hex(const char *s, size_t len, unsigned char ret[static 16])
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (len == UUID_LEN && is_dash_of_uuid(i)) {
            if (s[i] != '-')
                return false;
            continue;
        }
        int digit = hex_digit(s[i]);
        if (digit < 0)
            return false;
        ret[n / 2] = (unsigned char)(n % 2 ? ret[n / 2] | digit : digit << 4);
        n++;
    }
    return true;
}

static bool is_decimal(const char *s, size_t len)
{
    if (len == 0 || len > DECIMAL_MAX || (s[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!ascii_isdigit(s[i]))
            return false;
    return true;
}

static void put_own(struct wire *w, const char *s, size_t len)
{
    unsigned char bytes[16];
    int64_t n = 0;

    if ((len == UUID_LEN || len == HEX_LEN) && read_hex(s, len, bytes)) {
        put_tag(w, FORM, len == UUID_LEN ? FORM_UUID : FORM_HEX);
        buf_add(w->out, bytes, sizeof(bytes));
    } else if (is_decimal(s, len) && str_to_i64(s, 0, INT64_MAX, &n)) {
        put_tag(w, FORM, FORM_DECIMAL);
        put_varint(w, (uint64_t)n);
    } else {
        put_bytes(w, s, len);
    }
}

/* An anchor as a whole or within the text. */
static bool put_with_anchor(struct wire *w, const char *s, size_t len)
{
    for (unsigned i = 0; i < w->n_anchors; i++) {
        const char *anchor = w->anchors[i], *found = anchor ? strstr(s, anchor) : NULL;
        size_t n = anchor ? strlen(anchor) : 0;
        if (!found || n < ANCHOR_FROM)
            continue;
        if (n == len) {
            put_tag(w, REPEAT, i);
            return true;
        }
        put_tag(w, AROUND, i);
        put_shared(w, s, (size_t)(found - s));
        put_shared(w, found + n, len - n - (size_t)(found - s));
        return true;
    }
    return false;
}

/* ---- texts: reading and releasing ---- */

static char *read_form(struct wire *w, enum form form)
{
    static const char digits[] = "0123456789abcdef";
    char text[UUID_LEN + 1];
    size_t n = 0;

    if (form == FORM_NULL)
        return NULL;
    if (form == FORM_DECIMAL)
        return xasprintf("%llu", (unsigned long long)get_varint(w));
    const unsigned char *bytes = get_bytes(w, 16);
    for (size_t i = 0; i < 16; i++) {
        if (form == FORM_UUID && is_dash_of_uuid(n))
            text[n++] = '-';
        text[n++] = digits[bytes[i] >> 4];
        text[n++] = digits[bytes[i] & 15];
    }
    return xstrndup(text, n);
}

static char *read_text(struct wire *w);

static char *read_around(struct wire *w, const char *middle)
{
    _cleanup_(freep) char *before = read_text(w), *after = read_text(w);

    return w->direction == WIRE_READ ? xasprintf("%s%s%s", before, middle, after) : NULL;
}

static char *read_pooled(struct wire *w, uint32_t number)
{
    if (w->direction == WIRE_READ)
        return xstrdup(pool_text(w->pool, number));
    pool_release(w->pool, number);
    return NULL;
}

/* The caller's. Always NULL while releasing, but for forms, which need no care. */
static char *read_text(struct wire *w)
{
    uint64_t head = get_varint(w), rest = head >> TAG_BITS;

    switch (head & ((1U << TAG_BITS) - 1)) {
    case BYTES: {
        const char *bytes = (const char *)get_bytes(w, rest);
        return w->direction == WIRE_READ ? xstrndup(bytes, rest) : NULL;
    }
    case POOLED:
        return read_pooled(w, (uint32_t)rest);
    case REPEAT:
        return w->direction == WIRE_READ ? xstrdup(w->anchors[rest]) : NULL;
    case AROUND:
        return read_around(w, w->direction == WIRE_READ ? w->anchors[rest] : NULL);
    case SPLIT:
        return read_around(w, "");
    case FORM:
        return read_form(w, (enum form)rest);
    default:
        abort();
    }
}

/* ---- members ---- */

/* True when that was all: the member was read, or there is none to write. */
static bool settled(struct wire *w, char **member)
{
    if (w->direction == WIRE_WRITE) {
        if (!*member)
            put_tag(w, FORM, FORM_NULL);
        return !*member;
    }
    *member = read_text(w);
    if (w->direction == WIRE_RELEASE) {
        free(*member);
        *member = NULL;
    }
    return true;
}

void wire_own(struct wire *w, char **member)
{
    if (!settled(w, member) && !put_with_anchor(w, *member, strlen(*member)))
        put_own(w, *member, strlen(*member));
}

void wire_shared(struct wire *w, char **member)
{
    if (!settled(w, member) && !put_with_anchor(w, *member, strlen(*member)))
        put_shared(w, *member, strlen(*member));
}

static void remember(struct wire *w, const char *text)
{
    if (w->n_anchors == WIRE_ANCHORS)
        abort(); /* the walk has more of them than it may */
    w->anchors[w->n_anchors++] = text;
}

void wire_anchor(struct wire *w, char **member)
{
    wire_shared(w, member);
    remember(w, *member);
}

static const char *last_segment(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    return slash ? slash + 1 : path;
}

void wire_path(struct wire *w, char **member)
{
    if (!settled(w, member)) {
        const char *own = last_segment(*member);
        put_tag(w, SPLIT, 0);
        put_shared(w, *member, (size_t)(own - *member));
        put_own(w, own, strlen(own));
    }
    remember(w, last_segment(*member));
}
