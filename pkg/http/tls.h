/* Internal to pkg/http: what the transfers read of a struct http_tls. */
#pragma once

#include "http/http.h"

#include <stdatomic.h>

struct http_tls {
    atomic_int refs;
    char *ca_pem;          /* NULL: the system's bundle */
    char *client_cert_pem; /* both or none */
    char *client_key_pem;
    char *server_name; /* in lower case, or NULL */
};
