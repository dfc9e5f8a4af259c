/* The walk over a resource: every member once, in one order, for all directions (pack_wire.h).
 *
 * A member that is forgotten here is lost in the store: tests/unit/controller/test_pack.c fails when a struct grows. */
#include "controller/pack.h"

#include "base/mem.h"
#include "base/str.h"
#include "controller/pack_wire.h"

#include <string.h>

struct packed {
    uint32_t len;
    unsigned char bytes[];
};

static void walk_head(struct wire *w, struct cmk_resource *r)
{
    wire_number(w, &r->created_at);
    w->base = r->created_at;
    wire_shared(w, &r->ns);
    wire_own(w, &r->name);
    wire_own(w, &r->uid);
    wire_own(w, &r->resource_version);
    wire_number(w, &r->generation);
    WIRE_INT(w, r->deleting);
    wire_own(w, &r->reconcile_requested_at);
    wire_path(w, &r->spec.account_id);
}

static void walk_window(struct wire *w, struct cmk_window *window)
{
    WIRE_INT(w, window->present);
    WIRE_INT(w, window->n_periods);
    wire_shared(w, &window->time_zone);
    for (size_t i = 0; i < window->n_periods; i++) {
        WIRE_INT(w, window->periods[i].days);
        wire_number(w, &window->periods[i].start_s);
        wire_number(w, &window->periods[i].length_ms);
    }
}

static void walk_spec(struct wire *w, struct cmk_spec *spec)
{
    wire_anchor(w, &spec->key_uri);
    wire_anchor(w, &spec->default_identity);
    wire_anchor(w, &spec->key_vault_id);
    wire_own(w, &spec->approved_plan);
    WIRE_INT(w, spec->mode);
    WIRE_INT(w, spec->approval);
    WIRE_INT(w, spec->drift);
    WIRE_INT(w, spec->key_vault_access);
    WIRE_INT(w, spec->check_key_vault);
    WIRE_INT(w, spec->document_ids);
    WIRE_INT(w, spec->suspend);
    wire_number(w, &spec->priority);
    walk_window(w, &spec->window);
    wire_shared(w, &spec->malformed);
}

/* NULL, or n texts, each of which may be NULL. */
static void walk_list(struct wire *w, char ***list, size_t n)
{
    bool present = *list != NULL;

    WIRE_INT(w, present);
    if (!present)
        return;
    if (w->direction == WIRE_READ)
        *list = xcalloc(n, sizeof(char *));
    for (size_t i = 0; i < n; i++) {
        char *none = NULL;
        wire_shared(w, w->direction == WIRE_RELEASE ? &none : &(*list)[i]);
    }
}

static void walk_account(struct wire *w, struct cmk_account *a)
{
    wire_own(w, &a->name);
    wire_shared(w, &a->location);
    wire_shared(w, &a->kind);
    wire_shared(w, &a->api_types);
    wire_shared(w, &a->provisioning_state);
    wire_shared(w, &a->key_uri);
    wire_own(w, &a->key_uri_version);
    wire_shared(w, &a->cmk_status);
    wire_shared(w, &a->default_identity);
    wire_shared(w, &a->backup_policy);
    wire_time(w, &a->observed_at);
    wire_shared(w, &a->identity_type);
    wire_own(w, &a->system_principal_id);
    WIRE_INT(w, a->n_user_identities);
    walk_list(w, &a->user_identities, a->n_user_identities);
    walk_list(w, &a->user_principal_ids, a->n_user_identities);
    WIRE_INT(w, a->analytical_storage);
    WIRE_INT(w, a->cassandra);
    WIRE_INT(w, a->vector_search);
    WIRE_INT(w, a->materialized_views);
    WIRE_INT(w, a->full_fidelity_change_feed);
}

static void walk_plan(struct wire *w, struct cmk_plan *plan)
{
    char *hash = plan->hash;

    wire_own(w, &hash);
    if (w->direction == WIRE_READ) {
        (void)str_copy(plan->hash, sizeof(plan->hash), hash);
        free(hash);
    }
    WIRE_INT(w, plan->n);
    for (size_t i = 0; i < plan->n; i++)
        WIRE_INT(w, plan->steps[i]);
}

static void walk_operation(struct wire *w, struct cmk_operation *op)
{
    WIRE_INT(w, op->type);
    wire_shared(w, &op->state);
    wire_own(w, &op->id);
    wire_own(w, &op->status_url);
    wire_own(w, &op->correlation_id);
    wire_shared(w, &op->target);
    wire_shared(w, &op->previous_key_uri);
    wire_shared(w, &op->error_code);
    wire_shared(w, &op->error_message);
    wire_time(w, &op->requested_at);
    wire_time(w, &op->started_at);
    wire_time(w, &op->last_observed_at);
    wire_time(w, &op->completed_at);
    wire_number(w, &op->attempts);
}

static void walk_status(struct wire *w, struct cmk_status *s)
{
    wire_number(w, &s->observed_generation);
    WIRE_INT(w, s->n_conditions);
    for (size_t i = 0; i < s->n_conditions; i++) {
        struct cmk_condition *c = &s->conditions[i];
        wire_shared(w, &c->type);
        WIRE_INT(w, c->status);
        wire_shared(w, &c->reason);
        wire_shared(w, &c->message);
        wire_number(w, &c->observed_generation);
        wire_time(w, &c->last_transition);
    }
    WIRE_INT(w, s->has_account);
    walk_account(w, &s->account);
    walk_plan(w, &s->plan);
    walk_operation(w, &s->operation);
    WIRE_INT(w, s->n_checks);
    for (size_t i = 0; i < s->n_checks; i++) {
        wire_shared(w, &s->checks[i].name);
        WIRE_INT(w, s->checks[i].result);
        wire_shared(w, &s->checks[i].message);
    }
    wire_time(w, &s->encrypted_at);
    wire_shared(w, &s->encrypted_key_uri);
    wire_own(w, &s->last_handled_reconcile_at);
}

static void walk(struct wire *w, struct cmk_resource *r)
{
    walk_head(w, r);
    walk_spec(w, &r->spec);
    walk_status(w, &r->status);
}

struct packed *pack(struct pool *pool, const struct cmk_resource *resource)
{
    _cleanup_(buf_done) struct buf out = BUF_INIT(UINT32_MAX);
    struct wire w = {.direction = WIRE_WRITE, .pool = pool, .out = &out};

    walk(&w, (struct cmk_resource *)resource); /* which writing does not change */
    struct packed *packed = xmalloc(sizeof(*packed) + out.len);
    packed->len = (uint32_t)out.len;
    memcpy(packed->bytes, out.data, out.len);
    return packed;
}

static struct wire reader(struct pool *pool, const struct packed *packed, enum wire_direction direction)
{
    return (struct wire){.direction = direction, .pool = pool, .at = packed->bytes, .end = packed->bytes + packed->len};
}

void unpack(struct pool *pool, const struct packed *packed, struct cmk_resource *ret)
{
    struct wire w = reader(pool, packed, WIRE_READ);

    *ret = (struct cmk_resource){0};
    walk(&w, ret);
}

void unpack_head(struct pool *pool, const struct packed *packed, struct cmk_resource *ret)
{
    struct wire w = reader(pool, packed, WIRE_READ);

    *ret = (struct cmk_resource){0};
    walk_head(&w, ret);
}

struct packed *packed_free(struct pool *pool, struct packed *packed)
{
    struct cmk_resource scratch = {0};

    if (!packed)
        return NULL;
    struct wire w = reader(pool, packed, WIRE_RELEASE);
    walk(&w, &scratch); /* leaves no text in it */
    free(packed);
    return NULL;
}

size_t packed_size(const struct packed *packed)
{
    return sizeof(*packed) + packed->len;
}
