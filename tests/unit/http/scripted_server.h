/* A server whose every byte is the test's: it accepts on a free loopback port and runs the test's function once per
 * connection, on a thread of that connection. So a test can cut an answer at any byte, stay silent, speak junk, or
 * count what arrived. TLS (and ALPN "h2", without any HTTP/2) by options. Failures of the server itself abort the test
 * program. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct scripted_server;
struct scripted_conn;
typedef void (*scripted_handler)(struct scripted_conn *conn, void *ctx);

struct scripted_options {
    scripted_handler handler;
    void *ctx;
    const char *cert_pem; /* with key_pem: speak TLS */
    const char *key_pem;
    const char *client_ca_pem; /* demand a client certificate signed by it */
    bool h2;                   /* choose "h2" when the client offers it */
};

struct scripted_server *scripted_start(const struct scripted_options *options);
/* Closes every connection and joins every thread. */
void scripted_stop(struct scripted_server *server);
int scripted_port(const struct scripted_server *server);
/* "http://127.0.0.1:PORT" or https, followed by path; overwritten by the next call of the same thread. */
const char *scripted_url(const struct scripted_server *server, const char *path);
/* So far accepted (with TLS: and shaken hands), and requests read by scripted_read_request. */
int scripted_connections(const struct scripted_server *server);
int scripted_requests(const struct scripted_server *server);

/* For handlers. The connection is closed when the handler returns. */

/* Number of this connection, from 1. */
int scripted_number(const struct scripted_conn *conn);
/* Reads a request with its Content-Length body; false when the peer closed. Borrowed until the next call. */
const char *scripted_read_request(struct scripted_conn *conn);
bool scripted_read(struct scripted_conn *conn, void *bytes, size_t len);
/* False when the peer is gone. */
bool scripted_send(struct scripted_conn *conn, const void *bytes, size_t len);
bool scripted_puts(struct scripted_conn *conn, const char *text);
/* "HTTP/1.1 200 OK" with this body. */
bool scripted_reply(struct scripted_conn *conn, const char *body);
/* Until the peer closes. */
void scripted_wait_closed(struct scripted_conn *conn);
/* Ends the connection with a TCP reset when the handler returns. */
void scripted_reset(struct scripted_conn *conn);
/* The name in the client's hello, or "". */
const char *scripted_sni(const struct scripted_conn *conn);
/* Common name of the client's certificate, or "". */
void scripted_client_name(const struct scripted_conn *conn, char *ret, size_t size);
