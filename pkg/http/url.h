/* URLs taken apart without trust. Pure. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct http_url {
    char scheme[6]; /* "http" or "https" */
    char host[256]; /* lower case; without brackets for IPv6 */
    int port;       /* explicit or the scheme's */
    bool has_userinfo;
    const char *path; /* borrowed from the text: path, query and fragment, or "" */
};

/* ERR_INVALID with a sentence when it is no absolute http(s) URL: white space, control bytes, a backslash, an empty
 * host, a bad port. */
int http_url_parse(const char *text, struct http_url *ret, struct err *err);
/* Same scheme, host and port, and no userinfo in either. */
bool http_url_same_origin(const struct http_url *a, const struct http_url *b);
