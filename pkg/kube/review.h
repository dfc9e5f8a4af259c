/* Who is this, and may they? A bearer token and one non-resource path, put to the API server.
 *
 * TokenReview says whose token it is, SubjectAccessReview whether they may (what controller-runtime's metrics/filters
 * does, and kube-rbac-proxy did before). Answers are kept for a while: what is allowed for a minute, as long as
 * controller-runtime keeps a token's review; what is not, for ten seconds, so that a right that was granted soon holds.
 * There is room for 64 answers; those that say no never push out one that says yes. A token itself is never kept, only
 * its SHA-256 with a salt of this process. Safe for any number of threads. */
#pragma once

#include "kube/client.h"

enum kube_verdict {
    KUBE_ALLOWED,
    KUBE_UNAUTHENTICATED, /* nobody's token */
    KUBE_DENIED,          /* somebody's, who may not */
};

struct kube_reviewer;

struct kube_reviewer_options {
    struct kube_client *client; /* borrowed, must outlive the reviewer */
    const char *path;           /* "/metrics"; borrowed likewise */
    const char *verb;           /* "get" */
    int64_t allowed_ms;         /* 0: 60,000 */
    int64_t refused_ms;         /* 0: 10,000 */
    int64_t (*mono_ms)(void);   /* NULL: the system's clock */
};
struct kube_reviewer *kube_reviewer_new(const struct kube_reviewer_options *options);
struct kube_reviewer *kube_reviewer_free(struct kube_reviewer *reviewer); /* accepts and returns NULL */
DEFINE_CLEANUP(struct kube_reviewer *, kube_reviewer_free)

/* A kept answer, without asking; false when there is none. Never blocks for long. */
bool kube_reviewer_recall(struct kube_reviewer *reviewer, const char *token, enum kube_verdict *ret);
/* Asks, and keeps the answer. Errors are the API server's and say nothing about the token; ERR_FORBIDDEN: we ourselves
 * may not ask. */
int kube_reviewer_ask(struct kube_reviewer *reviewer, const char *token, enum kube_verdict *ret, struct err *err);
