/* RFC 7541. Everything that the peer sizes is checked against the block or a cap before it is used. */
#include "httpd/hpack.h"
#include "base/mem.h"
#include "base/str.h"
#include "httpd/huffman.h"

#include <string.h>

struct string {
    const char *s;
    size_t len;
};

struct reader {
    const uint8_t *p, *end;
};

/* Appendix A. */
static const struct {
    const char *name, *value;
} static_table[] = {
    {":authority", ""},
    {":method", "GET"},
    {":method", "POST"},
    {":path", "/"},
    {":path", "/index.html"},
    {":scheme", "http"},
    {":scheme", "https"},
    {":status", "200"},
    {":status", "204"},
    {":status", "206"},
    {":status", "304"},
    {":status", "400"},
    {":status", "404"},
    {":status", "500"},
    {"accept-charset", ""},
    {"accept-encoding", "gzip, deflate"},
    {"accept-language", ""},
    {"accept-ranges", ""},
    {"accept", ""},
    {"access-control-allow-origin", ""},
    {"age", ""},
    {"allow", ""},
    {"authorization", ""},
    {"cache-control", ""},
    {"content-disposition", ""},
    {"content-encoding", ""},
    {"content-language", ""},
    {"content-length", ""},
    {"content-location", ""},
    {"content-range", ""},
    {"content-type", ""},
    {"cookie", ""},
    {"date", ""},
    {"etag", ""},
    {"expect", ""},
    {"expires", ""},
    {"from", ""},
    {"host", ""},
    {"if-match", ""},
    {"if-modified-since", ""},
    {"if-none-match", ""},
    {"if-range", ""},
    {"if-unmodified-since", ""},
    {"last-modified", ""},
    {"link", ""},
    {"location", ""},
    {"max-forwards", ""},
    {"proxy-authenticate", ""},
    {"proxy-authorization", ""},
    {"range", ""},
    {"referer", ""},
    {"refresh", ""},
    {"retry-after", ""},
    {"server", ""},
    {"set-cookie", ""},
    {"strict-transport-security", ""},
    {"transfer-encoding", ""},
    {"user-agent", ""},
    {"vary", ""},
    {"via", ""},
    {"www-authenticate", ""},
};

/* -- the dynamic table */

static void evict_to(struct hpack *h, size_t size)
{
    while (h->n && h->used > size) {
        struct hpack_entry *oldest = &h->entries[(h->head + h->n - 1) % HPACK_TABLE_ENTRIES];

        h->used -= oldest->name_len + oldest->value_len + 32;
        free(oldest->name);
        *oldest = (struct hpack_entry){0};
        h->n--;
    }
}

void hpack_done(struct hpack *h)
{
    evict_to(h, 0);
}

static void insert(struct hpack *h, struct string name, struct string value)
{
    size_t limit = HPACK_TABLE_SIZE - h->limit_below, size = name.len + value.len + 32;
    char *copy;

    if (size > limit) {
        evict_to(h, 0);
        return;
    }
    copy = xmalloc(name.len + value.len + 1); /* before evicting: name may be that of an entry on its way out */
    memcpy(copy, name.s, name.len);
    memcpy(copy + name.len, value.s, value.len);
    evict_to(h, limit - size);
    h->head = (h->head + HPACK_TABLE_ENTRIES - 1) % HPACK_TABLE_ENTRIES;
    h->entries[h->head] = (struct hpack_entry){copy, copy + name.len, name.len, value.len};
    h->n++;
    h->used += size;
}

static int lookup(const struct hpack *h, size_t index, struct string *name, struct string *value)
{
    const struct hpack_entry *e;

    if (index == 0 || index > ARRAY_LEN(static_table) + h->n)
        return -1;
    if (index <= ARRAY_LEN(static_table)) {
        const char *n = static_table[index - 1].name, *v = static_table[index - 1].value;

        *name = (struct string){n, strlen(n)};
        *value = (struct string){v, strlen(v)};
        return 0;
    }
    e = &h->entries[(h->head + index - ARRAY_LEN(static_table) - 1) % HPACK_TABLE_ENTRIES];
    *name = (struct string){e->name, e->name_len};
    *value = (struct string){e->value, e->value_len};
    return 0;
}

/* -- primitives */

/* Section 5.1; more than 2^28 is nothing that fits a block. */
static int read_int(struct reader *r, int prefix_bits, size_t *ret)
{
    size_t mask = ((size_t)1 << prefix_bits) - 1, n;

    if (r->p == r->end)
        return -1;
    n = *r->p++ & mask;
    if (n < mask) {
        *ret = n;
        return 0;
    }
    for (int shift = 0; shift <= 21; shift += 7) {
        uint8_t byte;

        if (r->p == r->end)
            return -1;
        byte = *r->p++;
        n += (size_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *ret = n;
            return 0;
        }
    }
    return -1;
}

static int read_string(struct reader *r, struct buf *scratch, struct string *ret)
{
    size_t len;
    bool huffman = r->p < r->end && (*r->p & 0x80);

    if (read_int(r, 7, &len) < 0 || len > (size_t)(r->end - r->p))
        return -1;
    *ret = (struct string){(const char *)r->p, len};
    if (huffman) {
        buf_clear(scratch);
        if (huffman_decode(r->p, len, scratch) < 0 || scratch->overflow)
            return -1;
        *ret = (struct string){buf_str(scratch), scratch->len};
    }
    r->p += len;
    return ret->len > scratch->max ? -1 : 0;
}

/* -- fields */

struct scratch {
    struct buf name, value;
};

/* Section 6.2: the name by index or in full, then the value. */
static int read_literal(
    struct hpack *h, struct reader *r, int prefix_bits, struct scratch *s, struct string *name, struct string *value)
{
    size_t index;
    struct string unused;

    if (read_int(r, prefix_bits, &index) < 0)
        return -1;
    if (index ? lookup(h, index, name, &unused) < 0 : read_string(r, &s->name, name) < 0)
        return -1;
    return read_string(r, &s->value, value);
}

static int resize(struct hpack *h, struct reader *r)
{
    size_t size;

    if (read_int(r, 5, &size) < 0 || size > HPACK_TABLE_SIZE)
        return -1;
    h->limit_below = HPACK_TABLE_SIZE - size;
    evict_to(h, size);
    return 0;
}

static int read_field(struct hpack *h, struct reader *r, struct scratch *s, hpack_field field, void *ctx)
{
    uint8_t first = *r->p;
    struct string name, value;
    size_t index;

    if ((first & 0xe0) == 0x20)
        return resize(h, r);
    if (first & 0x80) {
        if (read_int(r, 7, &index) < 0 || lookup(h, index, &name, &value) < 0)
            return -1;
        field(ctx, name.s, name.len, value.s, value.len);
        return 0;
    }
    if (read_literal(h, r, first & 0x40 ? 6 : 4, s, &name, &value) < 0)
        return -1;
    field(ctx, name.s, name.len, value.s, value.len);
    if (first & 0x40)
        insert(h, name, value);
    return 0;
}

int hpack_decode(struct hpack *h, const uint8_t *block, size_t len, size_t scratch_max, hpack_field field, void *ctx)
{
    struct reader r = {block, block + len};
    struct scratch s = {BUF_INIT(scratch_max), BUF_INIT(scratch_max)};
    int ret = 0;

    while (ret == 0 && r.p < r.end)
        ret = read_field(h, &r, &s, field, ctx);
    buf_done(&s.name);
    buf_done(&s.value);
    return ret;
}

static void put_length(struct buf *b, size_t n)
{
    if (n < 127) {
        buf_putc(b, (char)n);
        return;
    }
    buf_putc(b, 127);
    for (n -= 127; n >= 128; n >>= 7)
        buf_putc(b, (char)((n & 0x7f) | 0x80));
    buf_putc(b, (char)n);
}

void hpack_encode(struct buf *b, const char *name, const char *value)
{
    size_t value_len = strlen(value);

    buf_putc(b, 0); /* literal, not indexed, new name */
    put_length(b, strlen(name));
    for (; *name; name++)
        buf_putc(b, ascii_tolower(*name));
    put_length(b, value_len);
    buf_add(b, value, value_len);
}
