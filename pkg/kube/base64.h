/* Base64 as kubeconfig files and exec plugins use it. Pure. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Appends the bytes of text to ret. The standard alphabet with its padding; line breaks are skipped, because people
 * fold long values. False when it is not base64 or does not fit in ret. */
bool kube_base64_decode(const char *text, struct buf *ret);
/* The caller frees it. */
char *kube_base64_encode(const char *bytes, size_t len);
