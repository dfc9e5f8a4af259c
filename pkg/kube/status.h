/* Kubernetes' Status objects as errors. Pure. Internal to pkg/kube. */
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stddef.h>

/* A Status tree (of an error answer or an ERROR event): message, reason as code, kind by status code. http_status 0:
 * the one in the Status. Returns -1. */
int kube_status_fail(const cJSON *status, int http_status, struct err *err);

/* The body of an answer with an error status: a Status, or what a proxy in between wrote. Returns -1. */
int kube_status_fail_body(const char *body, size_t len, int http_status, struct err *err);
