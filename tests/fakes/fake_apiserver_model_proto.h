/* The protocol buffers in which kubectl sends "create namespace", "create serviceaccount" and "create configmap", and
 * nothing else: since 1.32 it does not use JSON for these. Pure. */
#pragma once

#include "base/err.h"

#include <cjson/cJSON.h>
#include <stddef.h>

/* Decodes one object in the envelope of application/vnd.kubernetes.protobuf. ERR_INVALID for other kinds and damaged
 * bytes. The tree is the caller's. */
int proto_decode(cJSON **ret, const char *data, size_t len, struct err *err);
