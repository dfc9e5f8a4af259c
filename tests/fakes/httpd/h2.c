/* HTTP/2 frames in (RFC 9113): a server without push and without priorities.
 *
 * Every stream is a struct httpd_exchange from its first header to the end of its answer. Errors of a stream reset it;
 * errors of the connection send GOAWAY and close. What a peer may make us keep is capped: frames at 16 KiB, header
 * blocks at HEAD_MAX, bodies at max_body, streams at H2_STREAMS_MAX, and what waits for the socket at WIRE_MAX. */
#include "httpd/h2.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define BLOCK_FRAMES_MAX 64
#define RESETS_MAX 1000 /* in RESETS_PERIOD_MS */
#define RESETS_PERIOD_MS 10000

struct frame {
    uint8_t type, flags;
    uint32_t id;
    const uint8_t *payload;
    size_t len;
};

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static struct httpd_exchange *find_stream(const struct conn *c, uint32_t id)
{
    struct httpd_exchange *x = c->exchanges;

    while (x && x->id != id)
        x = x->next;
    return x;
}

/* -- header blocks */

struct decoding {
    struct httpd_exchange *x; /* NULL: decoded for the sake of the tables only */
    struct buf method, path, authority;
    struct buf fields; /* names and values in turn: they come before the request line is complete */
    bool malformed, regular_seen;
};

static void pseudo_field(struct decoding *d, const char *name, size_t name_len, const char *value, size_t value_len)
{
    struct {
        const char *name;
        struct buf *to;
    } known[] = {{":method", &d->method}, {":path", &d->path}, {":authority", &d->authority}, {":scheme", NULL}};

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strlen(known[i].name) != name_len || memcmp(known[i].name, name, name_len) != 0)
            continue;
        if (known[i].to && known[i].to->len)
            d->malformed = true;
        else if (known[i].to)
            buf_add(known[i].to, value, value_len);
        return;
    }
    d->malformed = true;
}

static void on_field(void *ctx, const char *name, size_t name_len, const char *value, size_t value_len)
{
    struct decoding *d = ctx;

    if (!d->x)
        return;
    if (!field_value_valid(value, value_len))
        d->malformed = true;
    if (name_len && name[0] == ':') {
        d->malformed = d->malformed || d->regular_seen;
        pseudo_field(d, name, name_len, value, value_len);
        return;
    }
    d->regular_seen = true;
    if (!token_valid(name, name_len)) {
        d->malformed = true;
        return;
    }
    buf_add(&d->fields, name, name_len);
    buf_putc(&d->fields, '\0');
    buf_add(&d->fields, value, value_len);
    buf_putc(&d->fields, '\0');
}

static bool decoding_overflow(const struct decoding *d)
{
    return d->method.overflow || d->path.overflow || d->authority.overflow || d->fields.overflow;
}

static bool path_valid(const struct buf *path)
{
    for (size_t i = 0; i < path->len; i++) {
        if ((unsigned char)path->data[i] <= 0x20 || path->data[i] == 0x7f)
            return false;
    }
    return path->len && (path->data[0] == '/' || str_eq(path->data, "*"));
}

static void build_request(struct decoding *d)
{
    struct request *r = &d->x->request;
    const char *p = d->fields.data, *end = p + d->fields.len;

    request_line(r, d->method.data, d->method.len, d->path.data, d->path.len);
    while (p && p < end) {
        const char *value = p + strlen(p) + 1;

        request_field(r, p, strlen(p), value, strlen(value));
        p = value + strlen(value) + 1;
    }
    if (d->authority.len && !request_header(r, "host"))
        request_field(r, "host", 4, d->authority.data, d->authority.len);
}

static void decoding_done(struct decoding *d)
{
    buf_done(&d->method);
    buf_done(&d->path);
    buf_done(&d->authority);
    buf_done(&d->fields);
}

/* Answered before the request was complete. */
static void refuse_stream(struct httpd_exchange *x, int status)
{
    x->oversized = !x->received;
    x->received = true;
    buf_done(&x->request.body);
    exchange_refuse(x, status);
}

static void reset_stream(struct conn *c, struct httpd_exchange *x, enum h2_error error)
{
    h2_reset(c, x->id, error);
    h2_close_stream(c, x);
}

static void opened(struct conn *c, struct decoding *d)
{
    struct httpd_exchange *x = d->x;
    bool ends = c->h2->block_ends_stream;

    if (decoding_overflow(d)) {
        x->received = ends;
        refuse_stream(x, 431);
        return;
    }
    if (d->malformed || !token_valid(buf_str(&d->method), d->method.len) || !path_valid(&d->path)) {
        reset_stream(c, x, H2_PROTOCOL_ERROR);
        return;
    }
    build_request(d);
    if (x->request.text.overflow) {
        x->received = ends;
        refuse_stream(x, 431);
    } else if (ends) {
        exchange_dispatch(x);
    }
}

/* A second block on a stream: trailers, which are read and forgotten. */
static void trailers(struct conn *c, struct httpd_exchange *x)
{
    if (!c->h2->block_ends_stream)
        reset_stream(c, x, H2_PROTOCOL_ERROR);
    else if (!x->received)
        exchange_dispatch(x);
    else
        x->oversized = false;
}

static enum h2_error block_complete(struct conn *c)
{
    struct h2 *h2 = c->h2;
    struct decoding d = {
        .method = BUF_INIT(256),
        .path = BUF_INIT(HEAD_MAX),
        .authority = BUF_INIT(4096),
        .fields = BUF_INIT(HEAD_MAX),
    };
    struct httpd_exchange *open = find_stream(c, h2->block_id);
    enum h2_error error = H2_NO_ERROR;
    bool fresh = h2->block_id > h2->last_id;
    bool refused = fresh && h2->streams >= H2_STREAMS_MAX;

    if (fresh)
        h2->last_id = h2->block_id;
    if (fresh && !refused) {
        d.x = exchange_new(c);
        d.x->id = h2->block_id;
        d.x->window = h2->initial_window;
        h2->streams++;
    }
    if (hpack_decode(&h2->hpack, (const uint8_t *)buf_str(&h2->block), h2->block.len, HEAD_MAX, on_field, &d) < 0)
        error = H2_COMPRESSION_ERROR;
    else if (refused)
        h2_reset(c, h2->block_id, H2_REFUSED_STREAM);
    else if (fresh)
        opened(c, &d);
    else if (open)
        trailers(c, open);
    decoding_done(&d);
    buf_done(&h2->block);
    h2->block_id = 0;
    return error;
}

static enum h2_error add_to_block(struct conn *c, const struct frame *f, const uint8_t *fragment, size_t len)
{
    struct h2 *h2 = c->h2;

    if (h2->block_frames++ > BLOCK_FRAMES_MAX)
        return H2_ENHANCE_YOUR_CALM;
    buf_add(&h2->block, fragment, len);
    /* Not decoding the rest would leave the tables out of step, so this cannot be answered on the stream. */
    if (h2->block.overflow)
        return H2_ENHANCE_YOUR_CALM;
    return f->flags & H2_END_HEADERS ? block_complete(c) : H2_NO_ERROR;
}

/* -- frames, each: H2_NO_ERROR or why the connection ends */

/* Takes off padding. */
static bool unpad(const struct frame *f, const uint8_t **ret, size_t *ret_len)
{
    size_t pad;

    *ret = f->payload;
    *ret_len = f->len;
    if (!(f->flags & H2_PADDED))
        return true;
    if (f->len < 1 || f->payload[0] >= f->len)
        return false;
    pad = f->payload[0];
    *ret += 1;
    *ret_len -= 1 + pad;
    return true;
}

static enum h2_error on_headers(struct conn *c, const struct frame *f)
{
    const uint8_t *p;
    size_t len;

    if (f->id % 2 == 0 || !unpad(f, &p, &len))
        return H2_PROTOCOL_ERROR;
    if (f->flags & H2_HAS_PRIORITY) {
        if (len < 5)
            return H2_FRAME_SIZE_ERROR;
        p += 5;
        len -= 5;
    }
    c->h2->block_id = f->id;
    c->h2->block_ends_stream = f->flags & H2_END_STREAM;
    c->h2->block_frames = 0;
    return add_to_block(c, f, p, len);
}

static enum h2_error on_data(struct conn *c, const struct frame *f)
{
    struct httpd_exchange *x = find_stream(c, f->id);
    const uint8_t *p;
    size_t len;

    if (f->id == 0 || f->id > c->h2->last_id || !unpad(f, &p, &len))
        return H2_PROTOCOL_ERROR;
    h2_window_update(c, 0, f->len);
    if (!x || x->received) {
        /* A stream that we have ended already, or answered: the peer may not know yet. */
        if (x && (f->flags & H2_END_STREAM))
            x->oversized = false;
        return H2_NO_ERROR;
    }
    buf_add(&x->request.body, p, len);
    if (x->request.body.overflow) {
        x->received = f->flags & H2_END_STREAM;
        refuse_stream(x, 413);
    } else if (f->flags & H2_END_STREAM) {
        exchange_dispatch(x);
    } else {
        h2_window_update(c, f->id, f->len);
    }
    return H2_NO_ERROR;
}

static enum h2_error on_reset(struct conn *c, const struct frame *f)
{
    struct httpd_exchange *x = find_stream(c, f->id);
    int64_t now = clock_mono_ms();

    if (f->len != 4)
        return H2_FRAME_SIZE_ERROR;
    if (f->id == 0 || f->id > c->h2->last_id)
        return H2_PROTOCOL_ERROR;
    if (now - c->h2->resets_since_ms > RESETS_PERIOD_MS) {
        c->h2->resets_since_ms = now;
        c->h2->resets = 0;
    }
    if (x)
        h2_close_stream(c, x);
    return ++c->h2->resets > RESETS_MAX ? H2_ENHANCE_YOUR_CALM : H2_NO_ERROR;
}

static enum h2_error new_initial_window(struct conn *c, uint32_t value)
{
    if (value > H2_WINDOW_MAX)
        return H2_FLOW_CONTROL_ERROR;
    for (struct httpd_exchange *x = c->exchanges; x; x = x->next) {
        x->window += (int64_t)value - c->h2->initial_window;
        if (x->window > H2_WINDOW_MAX)
            return H2_FLOW_CONTROL_ERROR;
    }
    c->h2->initial_window = value;
    return H2_NO_ERROR;
}

static enum h2_error on_settings(struct conn *c, const struct frame *f)
{
    enum h2_error error = H2_NO_ERROR;

    if (f->id != 0)
        return H2_PROTOCOL_ERROR;
    if (f->flags & H2_ACK)
        return f->len ? H2_FRAME_SIZE_ERROR : H2_NO_ERROR;
    if (f->len % 6)
        return H2_FRAME_SIZE_ERROR;
    /* Of the settings only INITIAL_WINDOW_SIZE (4) concerns us: we use no table, no push and the smallest frames. */
    for (size_t i = 0; i < f->len && !error; i += 6) {
        if (f->payload[i] == 0 && f->payload[i + 1] == 4)
            error = new_initial_window(c, get_u32(f->payload + i + 2));
    }
    if (!error)
        h2_frame(c, H2_SETTINGS, H2_ACK, 0, NULL, 0);
    return error;
}

static enum h2_error on_ping(struct conn *c, const struct frame *f)
{
    if (f->id != 0)
        return H2_PROTOCOL_ERROR;
    if (f->len != 8)
        return H2_FRAME_SIZE_ERROR;
    if (!(f->flags & H2_ACK))
        h2_frame(c, H2_PING, H2_ACK, 0, f->payload, 8);
    return H2_NO_ERROR;
}

static enum h2_error on_window_update(struct conn *c, const struct frame *f)
{
    struct httpd_exchange *x = f->id ? find_stream(c, f->id) : NULL;
    uint32_t n;

    if (f->len != 4)
        return H2_FRAME_SIZE_ERROR;
    n = get_u32(f->payload) & 0x7fffffff;
    if (n == 0 || f->id > c->h2->last_id)
        return H2_PROTOCOL_ERROR;
    if (f->id == 0) {
        c->h2->window += n;
        return c->h2->window > H2_WINDOW_MAX ? H2_FLOW_CONTROL_ERROR : H2_NO_ERROR;
    }
    if (x && (x->window += n) > H2_WINDOW_MAX)
        reset_stream(c, x, H2_FLOW_CONTROL_ERROR);
    return H2_NO_ERROR;
}

static enum h2_error on_continuation(struct conn *c, const struct frame *f)
{
    return c->h2->block_id ? add_to_block(c, f, f->payload, f->len) : H2_PROTOCOL_ERROR;
}

static enum h2_error on_frame(struct conn *c, const struct frame *f)
{
    struct h2 *h2 = c->h2;

    /* Section 4.3: nothing comes between the frames of a header block; section 3.4: SETTINGS come first. */
    if (h2->block_id && (f->type != H2_CONTINUATION || f->id != h2->block_id))
        return H2_PROTOCOL_ERROR;
    if (!h2->settings_seen && f->type != H2_SETTINGS)
        return H2_PROTOCOL_ERROR;
    h2->settings_seen = true;
    switch (f->type) {
    case H2_DATA:
        return on_data(c, f);
    case H2_HEADERS:
        return on_headers(c, f);
    case H2_RST_STREAM:
        return on_reset(c, f);
    case H2_SETTINGS:
        return on_settings(c, f);
    case H2_PUSH_PROMISE:
        return H2_PROTOCOL_ERROR;
    case H2_PING:
        return on_ping(c, f);
    case H2_WINDOW_UPDATE:
        return on_window_update(c, f);
    case H2_CONTINUATION:
        return on_continuation(c, f);
    default: /* PRIORITY, GOAWAY (the peer closes when it is done), and what came after the RFC */
        return H2_NO_ERROR;
    }
}

/* The client's preface. True when it is complete and right; c->closing when it is wrong. */
static bool read_preface(struct conn *c, size_t *at)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    size_t size = sizeof(preface) - 1, n = c->in.len < size ? c->in.len : size;

    if (n && memcmp(c->in.data, preface, n) != 0) {
        h2_goaway(c, H2_PROTOCOL_ERROR);
        return false;
    }
    if (n < size)
        return false;
    c->h2->preface_seen = true;
    *at = size;
    return true;
}

static int input(struct conn *c)
{
    size_t at = 0;

    if (!c->h2->preface_seen && !read_preface(c, &at))
        return 0;
    while (c->in.len - at >= 9 && !c->closing) {
        const uint8_t *p = (const uint8_t *)c->in.data + at;
        struct frame f = {
            .len = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2],
            .type = p[3],
            .flags = p[4],
            .id = get_u32(p + 5) & 0x7fffffff,
            .payload = p + 9,
        };
        enum h2_error error = H2_FRAME_SIZE_ERROR;

        if (f.len <= H2_FRAME_MAX && c->in.len - at - 9 < f.len)
            break;
        if (f.len <= H2_FRAME_MAX)
            error = on_frame(c, &f);
        if (error)
            h2_goaway(c, error);
        at += 9 + f.len;
    }
    buf_consume(&c->in, at < c->in.len ? at : c->in.len);
    return 0;
}

const struct conn_protocol h2_protocol = {input, h2_output};
