/* Hosts: which are this machine, and which are reached through a proxy of the environment. */
#pragma once

#include "base/err.h"
#include "http/url.h"

#include <stdbool.h>

/* "localhost", 127.0.0.0/8, ::1. host as http_url has it. */
bool kube_host_is_loopback(const char *host);

/* Whether host:port is excepted by a NO_PROXY list (NULL: no list) as Go reads it: "*", names with their subdomains,
 * ".example.com" for subdomains only, addresses, CIDR blocks, each with an optional ":port". Pure. */
bool kube_no_proxy(const char *list, const char *host, int port);

/* Whether the proxy's URL is one that we can use: http or https. */
bool kube_proxy_is_usable(const char *url);

/* The environment's proxy for the server (HTTPS_PROXY, https_proxy, NO_PROXY, no_proxy), or *ret NULL. Loopback is
 * never proxied. The caller frees it. */
int kube_proxy_from_env(char **ret, const struct http_url *server, struct err *err);
