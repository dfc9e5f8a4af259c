/* What preflight looks at besides the account: the vault, the key, the identity's access to it, locks, spare
 * throughput, documents.
 *
 * Each part says how much was seen of it, because "no" and "could not look" lead to different verdicts: what cannot be
 * seen is Unknown with the missing right named, never Passed. Strings are owned; cmk_evidence_done() frees them. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cmk_seen {
    CMK_NOT_LOOKED, /* not asked for, or pointless without an earlier part */
    CMK_SEEN,
    CMK_ABSENT, /* looked, and it is not there */
    CMK_UNSEEN, /* could not look: error says why */
};

enum cmk_firewall {
    CMK_FIREWALL_OPEN,   /* everybody, or trusted services by bypass */
    CMK_FIREWALL_CLOSED, /* default Deny, bypass None, no rules */
    CMK_FIREWALL_RULES,  /* default Deny, bypass None, with IP or network rules: whether they let Cosmos DB in cannot be
                            known */
    CMK_FIREWALL_PRIVATE, /* public access disabled or a network security perimeter: documentation disagrees
                             (azure-facts 11.1) */
};

struct cmk_vault_evidence {
    enum cmk_seen seen;
    struct err error;
    char *id;
    bool managed_hsm;
    bool soft_delete;
    bool purge_protection;
    bool rbac; /* role assignments count, access policies do not */
    enum cmk_firewall firewall;
};

struct cmk_key_evidence {
    enum cmk_seen seen;
    struct err error;
    bool enabled;
    int64_t not_before; /* wall ms; 0: none */
    int64_t expires;    /* wall ms; 0: none */
    char *type;         /* "RSA", "RSA-HSM", "EC", ... */
    bool may_wrap;      /* keyOps has wrapKey and unwrapKey */
};

struct cmk_access_evidence {
    enum cmk_seen seen; /* CMK_SEEN: get, wrap, unwrap below are what the identity has */
    struct err error;   /* for CMK_UNSEEN: also "the object id of the first-party identity is not known; set
                           --cosmos-principal-id" */
    char *principal_id; /* whom it was looked up for, or NULL */
    bool get, wrap, unwrap;
    bool conditional; /* a role assignment that would give it carries a condition */
    char *deny;       /* name of a deny assignment that may take it away, or NULL */
};

struct cmk_lock_evidence {
    enum cmk_seen seen; /* CMK_ABSENT: there is no ReadOnly lock on the account or above it */
    struct err error;
    char *name;
    char *scope;
};

struct cmk_throughput_evidence {
    enum cmk_seen seen; /* CMK_ABSENT: Azure Monitor has no value; a gap is no value, never 0 */
    struct err error;
    int max_percent; /* highest normalised RU consumption of the last hour */
    char *container; /* where, or NULL */
};

enum cmk_scan_state { CMK_SCAN_NONE, CMK_SCAN_RUNNING, CMK_SCAN_CLEAN, CMK_SCAN_FOUND, CMK_SCAN_FAILED };

/* The search for document ids over 990 bytes, which runs by itself beside the passes. */
struct cmk_scan_evidence {
    enum cmk_scan_state state;
    struct err error;
    int64_t containers, containers_done;
    int64_t ranges, ranges_done;
    int64_t offenders;
    char *first_offender; /* for people: container and shortened id */
};

struct cmk_evidence {
    bool gathered; /* in this pass */
    struct cmk_vault_evidence vault;
    struct cmk_key_evidence key;
    struct cmk_access_evidence access;
    struct cmk_lock_evidence lock;
    struct cmk_throughput_evidence throughput;
    struct cmk_scan_evidence scan;
};

void cmk_evidence_done(struct cmk_evidence *evidence); /* accepts a zeroed struct */
