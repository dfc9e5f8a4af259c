/* Internal to pkg/http: caps and defaults that more than one file needs. */
#pragma once

#include <stddef.h>

#define HTTP_MAX_HEADER_BYTES ((size_t)256 * 1024) /* of one answer, 1xx answers and trailers included */
#define HTTP_DEFAULT_MAX_BODY ((size_t)4 * 1024 * 1024)
#define HTTP_DEFAULT_CONNECT_TIMEOUT_MS 10000
#define HTTP_DEFAULT_TIMEOUT_MS 60000
