/* HTTP/2 frames out: answers within the peer's windows, one frame for each stream in turn. */
#include "base/mem.h"
#include "base/str.h"
#include "httpd/h2.h"

#include <stdio.h>
#include <string.h>

static void put_u32(uint8_t *p, uint32_t n)
{
    p[0] = (uint8_t)(n >> 24);
    p[1] = (uint8_t)(n >> 16);
    p[2] = (uint8_t)(n >> 8);
    p[3] = (uint8_t)n;
}

void h2_frame(struct conn *c, enum h2_type type, uint8_t flags, uint32_t id, const void *payload, size_t len)
{
    uint8_t frame[9 + H2_FRAME_MAX] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, (uint8_t)type, flags};

    put_u32(frame + 5, id);
    if (len)
        memcpy(frame + 9, payload, len);
    conn_write(c, frame, 9 + len);
}

void h2_reset(struct conn *c, uint32_t id, enum h2_error error)
{
    uint8_t payload[4];

    put_u32(payload, (uint32_t)error);
    h2_frame(c, H2_RST_STREAM, 0, id, payload, sizeof(payload));
}

void h2_goaway(struct conn *c, enum h2_error error)
{
    uint8_t payload[8];

    put_u32(payload, c->h2->last_id);
    put_u32(payload + 4, (uint32_t)error);
    h2_frame(c, H2_GOAWAY, 0, 0, payload, sizeof(payload));
    c->closing = true;
}

void h2_window_update(struct conn *c, uint32_t id, size_t bytes)
{
    uint8_t payload[4];

    put_u32(payload, (uint32_t)bytes);
    if (bytes)
        h2_frame(c, H2_WINDOW_UPDATE, 0, id, payload, sizeof(payload));
}

void h2_close_stream(struct conn *c, struct httpd_exchange *x)
{
    c->h2->streams--;
    exchange_drop(c, x);
}

static void put_setting(uint8_t *p, uint16_t id, uint32_t value)
{
    p[0] = (uint8_t)(id >> 8);
    p[1] = (uint8_t)id;
    put_u32(p + 2, value);
}

void h2_start(struct conn *c)
{
    uint8_t settings[12];

    c->h2 = xcalloc(1, sizeof(*c->h2));
    c->h2->window = c->h2->initial_window = H2_WINDOW;
    c->h2->block = BUF_INIT(HEAD_MAX);
    put_setting(settings, 3, H2_STREAMS_MAX); /* MAX_CONCURRENT_STREAMS */
    put_setting(settings + 6, 6, HEAD_MAX);   /* MAX_HEADER_LIST_SIZE */
    h2_frame(c, H2_SETTINGS, 0, 0, settings, sizeof(settings));
}

void h2_free(struct h2 *h2)
{
    if (!h2)
        return;
    hpack_done(&h2->hpack);
    buf_done(&h2->block);
    free(h2);
}

/* -- answers, under the server's lock */

/* RFC 9113, section 8.2.2: these belong to HTTP/1.1's connections. */
static bool belongs_to_h1(const char *name)
{
    static const char *const names[] = {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq_nocase(name, names[i]))
            return true;
    }
    return false;
}

static void put_fields(struct buf *b, const struct buf *fields)
{
    const char *p = fields->data;
    bool has_date = false;
    char date[DATE_SIZE];

    while (p && p < fields->data + fields->len) {
        const char *value = p + strlen(p) + 1;

        has_date = has_date || str_eq_nocase(p, "date");
        if (!belongs_to_h1(p))
            hpack_encode(b, p, value);
        p = value + strlen(value) + 1;
    }
    http_date(date);
    if (!has_date)
        hpack_encode(b, "date", date);
}

static void send_head(struct conn *c, struct httpd_exchange *x)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(2 * HEAD_MAX);
    char number[24];
    size_t at = 0;
    bool ends;

    x->head_sent = true;
    (void)snprintf(number, sizeof(number), "%d", x->status);
    hpack_encode(&b, ":status", number);
    put_fields(&b, &x->fields);
    (void)snprintf(number, sizeof(number), "%zu", pipe_len(&x->out));
    if (x->whole && status_has_body(x->status))
        hpack_encode(&b, "content-length", number);
    if (x->is_head || !status_has_body(x->status))
        pipe_drop(&x->out, pipe_len(&x->out));
    ends = x->ended && !pipe_len(&x->out);
    do {
        size_t n = b.len - at < H2_FRAME_MAX ? b.len - at : H2_FRAME_MAX;
        uint8_t flags = at + n == b.len ? H2_END_HEADERS : 0;

        if (at == 0 && ends)
            flags |= H2_END_STREAM;
        h2_frame(c, at ? H2_CONTINUATION : H2_HEADERS, flags, x->id, b.data + at, n);
        at += n;
    } while (at < b.len);
}

static size_t sendable(const struct conn *c, const struct httpd_exchange *x)
{
    size_t n = pipe_len(&x->out) < H2_FRAME_MAX ? pipe_len(&x->out) : H2_FRAME_MAX;

    if (x->window <= 0 || c->h2->window <= 0)
        return 0;
    if ((int64_t)n > x->window)
        n = (size_t)x->window;
    return (int64_t)n > c->h2->window ? (size_t)c->h2->window : n;
}

/* What a stream did in its turn. */
enum turn { TURN_IDLE, TURN_SENT, TURN_ENDED };

static enum turn send_body(struct conn *c, struct httpd_exchange *x)
{
    size_t n;
    bool last;

    if (x->is_head || !status_has_body(x->status))
        pipe_drop(&x->out, pipe_len(&x->out));
    n = sendable(c, x);
    last = x->ended && n == pipe_len(&x->out);
    if (!n && !last)
        return TURN_IDLE;
    h2_frame(c, H2_DATA, last ? H2_END_STREAM : 0, x->id, pipe_data(&x->out), n);
    pipe_drop(&x->out, n);
    x->window -= (int64_t)n;
    c->h2->window -= (int64_t)n;
    return last ? TURN_ENDED : TURN_SENT;
}

static enum turn take_turn(struct conn *c, struct httpd_exchange *x)
{
    enum turn turn = TURN_IDLE;

    pthread_mutex_lock(&c->server->lock);
    if (x->begun && !x->head_sent) {
        send_head(c, x);
        turn = x->ended && !pipe_len(&x->out) ? TURN_ENDED : TURN_SENT;
    } else if (x->begun) {
        turn = send_body(c, x);
    }
    pthread_mutex_unlock(&c->server->lock);
    return turn;
}

bool h2_output(struct conn *c)
{
    bool sent = true;

    while (sent && conn_room(c) > 0) {
        struct httpd_exchange *x = c->exchanges, *next;

        for (sent = false; x && conn_room(c) > 0; x = next) {
            enum turn turn = take_turn(c, x);

            next = x->next;
            sent = sent || turn != TURN_IDLE;
            if (turn != TURN_ENDED)
                continue;
            /* Section 8.1: an answer that came before the end of the request, and nobody wants the rest of it. */
            if (x->oversized)
                h2_reset(c, x->id, H2_NO_ERROR);
            h2_close_stream(c, x);
        }
    }
    return false; /* input never waits for output here */
}
