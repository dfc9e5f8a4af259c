/* HTTP/2 frame by frame, with what no client that works would send. */
#include "rig_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

struct raw {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
};

static struct raw raw_open(void)
{
    static const unsigned char alpn[] = "\x02h2";
    struct raw r = {.fd = rig_connect(&rig), .ctx = SSL_CTX_new(TLS_client_method())};

    SSL_CTX_set_alpn_protos(r.ctx, alpn, sizeof(alpn) - 1);
    r.ssl = SSL_new(r.ctx);
    SSL_set_fd(r.ssl, r.fd);
    assert_int_equal(SSL_connect(r.ssl), 1);
    return r;
}

static void raw_close(struct raw *r)
{
    SSL_free(r->ssl);
    SSL_CTX_free(r->ctx);
    close(r->fd);
    ERR_clear_error();
}

static void put_frame(struct buf *b, int type, int flags, int id, const void *payload, size_t len)
{
    const char head[9] = {
        (char)(len >> 16), (char)(len >> 8), (char)len, (char)type, (char)flags, 0, 0, (char)(id >> 8), (char)id};

    buf_add(b, head, sizeof(head));
    buf_add(b, payload, len);
}

static void put_preface(struct buf *b)
{
    buf_puts(b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    put_frame(b, 4, 0, 0, NULL, 0);
}

/* The payload of the first frame of that type, of at least 4 bytes, read as the number at offset at; -1 when the
 * connection ends without one. */
static long long raw_wait_frame(struct raw *r, int type, size_t at)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    char chunk[4096];
    size_t len;
    int n;

    while ((n = SSL_read(r->ssl, chunk, sizeof(chunk))) > 0) {
        buf_add(&b, chunk, (size_t)n);
        for (;;) {
            const uint8_t *p = (const uint8_t *)b.data;

            len = b.len >= 9 ? (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2] : SIZE_MAX;
            if (b.len < 9 || b.len - 9 < len)
                break;
            if (p[3] == type && len >= at + 4)
                return (long long)p[9 + at] << 24 | p[10 + at] << 16 | p[11 + at] << 8 | p[12 + at];
            buf_consume(&b, 9 + len);
        }
    }
    return -1;
}

#define GET_HELD "\x82\x87\x04\x05/held\x41\x01h"
#define BYTES(s) s, sizeof(s) - 1

struct frame_row {
    const char *name;
    int type, flags, id;
    const char *payload;
    size_t len;
};

enum { GOAWAY = 7, RST_STREAM = 3 };

static void connection_errors_are_answered_with_goaway(void **state)
{
    static const struct {
        struct frame_row f;
        long long code;
    } rows[] = {
        {{"data on stream 0", 0, 1, 0, BYTES("x")}, 1},
        {{"data on an idle stream", 0, 1, 1, BYTES("x")}, 1},
        {{"padding beyond the frame", 1, 0xd, 1, BYTES("\x05x")}, 1},
        {{"padding without its length", 0, 9, 1, NULL, 0}, 1},
        {{"headers on an even stream", 1, 5, 2, BYTES(GET_HELD)}, 1},
        {{"headers on stream 0", 1, 5, 0, BYTES(GET_HELD)}, 1},
        {{"headers with half a priority", 1, 0x25, 1, BYTES("abc")}, 6},
        {{"headers that do not decode", 1, 5, 1, BYTES("\x80")}, 9},
        {{"continuation of nothing", 9, 4, 1, BYTES(GET_HELD)}, 1},
        {{"settings of five bytes", 4, 0, 0, BYTES("12345")}, 6},
        {{"settings on a stream", 4, 0, 1, NULL, 0}, 1},
        {{"settings with an enormous window", 4, 0, 0, BYTES("\0\4\x80\0\0\0")}, 3},
        {{"a ping of seven bytes", 6, 0, 0, BYTES("1234567")}, 6},
        {{"a ping on a stream", 6, 0, 1, BYTES("12345678")}, 1},
        {{"a push promise", 5, 4, 1, BYTES(GET_HELD)}, 1},
        {{"a window update of nothing", 8, 0, 0, BYTES("\0\0\0\0")}, 1},
        {{"a window update of three bytes", 8, 0, 0, BYTES("\0\0\1")}, 6},
        {{"a window that overflows", 8, 0, 0, BYTES("\x7f\xff\xff\xff")}, 3},
        {{"a reset of an idle stream", 3, 0, 1, BYTES("\0\0\0\0")}, 1},
        {{"a frame of 16385 bytes", 0xff, 0, 0, NULL, 16385}, 6},
    };
    static const char zeros[16385];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct frame_row *f = &rows[i].f;
        _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
        struct raw r = raw_open();
        long long code;

        put_preface(&b);
        put_frame(&b, f->type, f->flags, f->id, f->payload ? f->payload : zeros, f->len);
        SSL_write(r.ssl, b.data, (int)b.len);
        code = raw_wait_frame(&r, GOAWAY, 4);
        if (code != rows[i].code)
            fail_msg("%s: %lld", f->name, code);
        raw_close(&r);
    }
}

static void requests_that_are_none_are_reset(void **state)
{
    static const struct frame_row rows[] = {
        {"no path", 1, 5, 1, BYTES("\x82\x87")},
        {"no method", 1, 5, 1, BYTES("\x84\x87")},
        {"a path twice", 1, 5, 1, BYTES("\x82\x87\x84\x84")},
        {"a path that is none", 1, 5, 1, BYTES("\x82\x87\x04\x01x")},
        {"a path with a blank", 1, 5, 1, BYTES("\x82\x87\x04\x03/ x")},
        {"an unknown pseudo-header", 1, 5, 1, BYTES("\x82\x87\x84\x00\x02:x\x01y")},
        {"a pseudo-header after a header", 1, 5, 1, BYTES("\x82\x87\x00\x01x\x01y\x84")},
        {"a header with a line feed", 1, 5, 1, BYTES("\x82\x87\x84\x00\x01x\x02\ny")},
        {"a header name with a blank", 1, 5, 1, BYTES("\x82\x87\x84\x00\x02x \x01y")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
        struct raw r = raw_open();
        long long code;

        put_preface(&b);
        put_frame(&b, rows[i].type, rows[i].flags, rows[i].id, rows[i].payload, rows[i].len);
        SSL_write(r.ssl, b.data, (int)b.len);
        code = raw_wait_frame(&r, RST_STREAM, 0);
        if (code != 1)
            fail_msg("%s: %lld", rows[i].name, code);
        raw_close(&r);
    }
}

static void a_header_block_may_come_in_pieces_with_padding_and_priority(void **state)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    struct raw r = raw_open();

    (void)state;
    put_preface(&b);
    put_frame(&b, 1, 0x29, 1, BYTES("\x02\0\0\0\0\0\x82\0\0")); /* padded, priority, end of stream */
    put_frame(&b, 9, 0, 1, BYTES("\x87\x04"));
    put_frame(&b, 9, 0, 1, NULL, 0);
    put_frame(&b, 9, 4, 1, BYTES("\x05/held"));
    SSL_write(r.ssl, b.data, (int)b.len);
    httpd_reply_text(rig_held(&rig, 0), 200, "text/plain", "1234");
    assert_int_equal(raw_wait_frame(&r, 0, 0), 0x31323334);
    raw_close(&r);
}

static void floods_end_the_connection(void **state)
{
    static const struct {
        const char *name;
        int what;
    } rows[] = {{"continuations without end", 9}, {"a header block beyond the cap", 1}, {"open and reset", 3}};
    static const char filler[16000] = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_done) struct buf b = BUF_INIT(4 << 20);
        struct raw r = raw_open();
        long long code;

        put_preface(&b);
        if (rows[i].what != 3)
            put_frame(&b, 1, 0, 1, NULL, 0);
        for (int n = 0; n < (rows[i].what == 1 ? 6 : 1200); n++) {
            if (rows[i].what == 3) {
                put_frame(&b, 1, 5, 2 * n + 1, BYTES("\x82\x87\x84"));
                put_frame(&b, 3, 0, 2 * n + 1, BYTES("\0\0\0\0"));
            } else {
                put_frame(&b, 9, 0, 1, filler, rows[i].what == 1 ? sizeof(filler) : 0);
            }
        }
        for (size_t at = 0;
             at < b.len && SSL_write(r.ssl, b.data + at, 1000 < b.len - at ? 1000 : (int)(b.len - at)) > 0;)
            at += 1000;
        code = raw_wait_frame(&r, GOAWAY, 4);
        if (code != 11)
            fail_msg("%s: %lld", rows[i].name, code);
        raw_close(&r);
    }
}

static void streams_beyond_the_limit_are_refused(void **state)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(1 << 20);
    struct raw r = raw_open();

    (void)state;
    put_preface(&b);
    for (int i = 0; i < 257; i++)
        put_frame(&b, 1, 4, 2 * i + 1, BYTES("\x82\x87\x84")); /* the body never comes */
    SSL_write(r.ssl, b.data, (int)b.len);
    assert_int_equal(raw_wait_frame(&r, RST_STREAM, 0), 7);
    raw_close(&r);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(connection_errors_are_answered_with_goaway),
        T(requests_that_are_none_are_reset),
        T(a_header_block_may_come_in_pieces_with_padding_and_priority),
        T(floods_end_the_connection),
        T(streams_beyond_the_limit_are_refused),
    };

    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
