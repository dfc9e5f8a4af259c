/* Addresses to listen on, as flags give them. */
#pragma once

#include "base/err.h"

#define LISTEN_HOST_SIZE 64

/* "ADDRESS:PORT", "[IPV6]:PORT", or ":PORT" for all IPv4 addresses. flag is for the error's sentence. */
int listen_parse(
    const char *flag, const char *text, char ret_host[static LISTEN_HOST_SIZE], int *ret_port, struct err *err);
