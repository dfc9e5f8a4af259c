/* Internal to pkg/http: the system's certificate authorities, read once for all connections of an engine.
 *
 * libcurl reads them anew for every connection when it is left to itself: some 140 certificates, 0.9 MB of heap and
 * tens of milliseconds in which no other transfer moves. */
#pragma once

#include <curl/curl.h>

struct http_trust;
struct http_trust *http_trust_new(void);
struct http_trust *http_trust_free(struct http_trust *trust); /* accepts and returns NULL */

/* For the engine's thread alone: makes ssl_ctx (an SSL_CTX) trust the system's authorities and nobody else. They are
 * read when first needed and again after a day, so that a program that runs for months follows the system's updates. */
CURLcode http_trust_apply(struct http_trust *trust, void *ssl_ctx);
