/* What h2.c and h2_send.c share. */
#pragma once

#include "httpd/hpack.h"
#include "httpd/internal.h"

#define H2_FRAME_MAX 16384 /* HTTP/2's default and least; neither side may send more to us, nor do we */
#define H2_WINDOW 65535    /* the default; credit is given back as bytes arrive, bodies have their own cap */
#define H2_STREAMS_MAX 256 /* open at a time: watches stay open for long */
#define H2_WINDOW_MAX INT32_MAX

enum h2_type {
    H2_DATA,
    H2_HEADERS,
    H2_PRIORITY,
    H2_RST_STREAM,
    H2_SETTINGS,
    H2_PUSH_PROMISE,
    H2_PING,
    H2_GOAWAY,
    H2_WINDOW_UPDATE,
    H2_CONTINUATION,
};

enum { H2_ACK = 0x1, H2_END_STREAM = 0x1, H2_END_HEADERS = 0x4, H2_PADDED = 0x8, H2_HAS_PRIORITY = 0x20 };

enum h2_error {
    H2_NO_ERROR,
    H2_PROTOCOL_ERROR,
    H2_INTERNAL_ERROR,
    H2_FLOW_CONTROL_ERROR,
    H2_SETTINGS_TIMEOUT,
    H2_STREAM_CLOSED,
    H2_FRAME_SIZE_ERROR,
    H2_REFUSED_STREAM,
    H2_CANCEL,
    H2_COMPRESSION_ERROR,
    H2_CONNECT_ERROR,
    H2_ENHANCE_YOUR_CALM,
};

struct h2 {
    struct hpack hpack;
    bool preface_seen, settings_seen;
    uint32_t last_id; /* highest stream the peer has opened */
    int64_t window;   /* what the peer still takes on the connection */
    int64_t initial_window;
    size_t streams;
    /* A header block that is not complete; block_id is 0 when there is none. */
    struct buf block;
    uint32_t block_id;
    bool block_ends_stream;
    int block_frames;
    /* Streams that the peer has reset since then: opening and resetting in a row makes a server work for nothing. */
    int64_t resets_since_ms;
    int resets;
};

void h2_frame(struct conn *conn, enum h2_type type, uint8_t flags, uint32_t id, const void *payload, size_t len);
void h2_reset(struct conn *conn, uint32_t id, enum h2_error error);
void h2_goaway(struct conn *conn, enum h2_error error);
void h2_window_update(struct conn *conn, uint32_t id, size_t bytes);
/* Forgets the stream; the answer is finished or nobody wants it. */
void h2_close_stream(struct conn *conn, struct httpd_exchange *exchange);
bool h2_output(struct conn *conn);
