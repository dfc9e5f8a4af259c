#include "controller/azure_port.h"

#include "azure/activity.h"
#include "azure/cosmos.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "cmk/spec.h"

#include <stdio.h>

/* How far back an operation that still runs may have begun. */
#define ACTIVITY_WINDOW_MS (14LL * 24 * 3600 * 1000)

static bool has_capability(const struct cosmos_account *account, const char *name)
{
    for (size_t i = 0; i < account->n_capabilities; i++)
        if (str_eq_nocase(account->capabilities[i], name))
            return true;
    return false;
}

static void take_identities(struct cmk_account *to, struct cosmos_account *from)
{
    to->n_user_identities = from->n_user_identities;
    to->user_identities = xcalloc(from->n_user_identities, sizeof(*to->user_identities));
    to->user_principal_ids = xcalloc(from->n_user_identities, sizeof(*to->user_principal_ids));
    for (size_t i = 0; i < from->n_user_identities; i++) {
        to->user_identities[i] = TAKE_PTR(from->user_identities[i].id);
        to->user_principal_ids[i] = TAKE_PTR(from->user_identities[i].principal_id);
    }
}

/* What the domain wants to know of an account, moved out of what ARM said. */
static void take_account(struct cmk_account *to, struct cosmos_account *from)
{
    *to = (struct cmk_account){
        .name = TAKE_PTR(from->name),
        .location = TAKE_PTR(from->location),
        .kind = TAKE_PTR(from->kind),
        .api_types = TAKE_PTR(from->api_types),
        .provisioning_state = TAKE_PTR(from->provisioning_state),
        .key_uri = TAKE_PTR(from->key_uri),
        .key_uri_version = TAKE_PTR(from->key_uri_version),
        .cmk_status = TAKE_PTR(from->cmk_status),
        .default_identity = TAKE_PTR(from->default_identity),
        .backup_policy = TAKE_PTR(from->backup_policy),
        .identity_type = TAKE_PTR(from->identity_type),
        .system_principal_id = TAKE_PTR(from->system_principal_id),
        .analytical_storage = from->analytical_storage,
        .cassandra = has_capability(from, "EnableCassandra"),
        .vector_search = has_capability(from, "EnableNoSQLVectorSearch"),
        .materialized_views = from->materialized_views,
        .full_fidelity_change_feed = from->full_fidelity_change_feed,
    };
    take_identities(to, from);
}

static int read_account(void *ctx, const char *account_id, struct cmk_account *ret, struct err *err)
{
    _cleanup_(arm_id_done) struct arm_id id = {0};
    _cleanup_(cosmos_account_done) struct cosmos_account account = {0};
    struct azure_port_context *context = ctx;

    if (arm_id_parse(&id, account_id, err) < 0 || cosmos_account_get(context->client, &id, &account, err) < 0)
        return -1;
    take_account(ret, &account);
    return 0;
}

struct listing {
    void (*on_account)(void *data, const char *account_id, struct cmk_account *account);
    void *data;
};

static int on_listed(void *data, struct cosmos_account *account, struct err *err _unused_)
{
    const struct listing *listing = data;
    struct cmk_account taken;
    _cleanup_(freep) char *id = TAKE_PTR(account->id);

    take_account(&taken, account);
    listing->on_account(listing->data, id, &taken);
    cmk_account_done(&taken);
    return 0;
}

static int list_accounts(void *ctx, const char *subscription,
    void (*on_account)(void *data, const char *account_id, struct cmk_account *account), void *data, struct err *err)
{
    struct azure_port_context *context = ctx;
    struct listing listing = {.on_account = on_account, .data = data};

    return cosmos_account_list(context->client, subscription, NULL, on_listed, &listing, err);
}

static int read_operation(void *ctx, const char *status_url, struct cmk_result *ret, struct err *err)
{
    _cleanup_(arm_operation_done) struct arm_operation operation = {0};
    struct azure_port_context *context = ctx;

    if (arm_operation_get(context->client, status_url, &operation, err) < 0)
        return -1;
    ret->state = TAKE_PTR(operation.state);
    ret->error_code = TAKE_PTR(operation.error_code);
    ret->error_message = TAKE_PTR(operation.error_message);
    return 0;
}

/* Attaching must not take away what is there: a PATCH merges userAssignedIdentities, but the type has to name both
 * kinds. */
static char *identity_body(const struct cmk_view *view)
{
    const char *user = cmk_user_identity_of(view->resource->spec.default_identity);
    bool system = view->account.identity_type && str_find_nocase(view->account.identity_type, "SystemAssigned");
    bool users = view->account.n_user_identities > 0;

    if (user)
        return cosmos_body_identity(system ? "SystemAssigned,UserAssigned" : "UserAssigned", user);
    return cosmos_body_identity(users ? "SystemAssigned,UserAssigned" : "SystemAssigned", NULL);
}

static char *body_of(const struct cmk_view *view, enum cmk_step_type type)
{
    switch (type) {
    case CMK_ATTACH_IDENTITY:
        return identity_body(view);
    case CMK_SET_DEFAULT_IDENTITY:
        return cosmos_body_default_identity(view->resource->spec.default_identity);
    case CMK_ENABLE_KEY:
        return cosmos_body_key(view->resource->spec.key_uri);
    case CMK_GRANT_KEY_ACCESS:
    case CMK_NO_STEP:
        break;
    }
    return NULL;
}

static int gather(void *ctx, const struct cmk_view *view, struct cmk_evidence *ret, struct err *err)
{
    struct azure_port_context *context = ctx;
    const struct cmk_spec *spec = &view->resource->spec;

    _cleanup_(freep) char *caller = cmk_account_key(spec->account_id);
    _cleanup_(arm_client_freep) struct arm_client *client = arm_client_for(context->client, caller);
    if (evidence_gather(client, &context->evidence, spec->account_id, spec, &view->account, ret, err) < 0)
        return -1;
    if (spec->document_ids == CMK_IDS_SCAN && context->scanner) {
        scanner_want(context->scanner, spec->account_id);
        scanner_look(context->scanner, spec->account_id, &ret->scan);
    }
    return 0;
}

static int read_culprit(void *ctx, const char *account_id, char ret[static CMK_CULPRIT_SIZE], struct err *err)
{
    _cleanup_(arm_id_done) struct arm_id id = {0};
    _cleanup_(activity_done) struct activity activity = {0};
    struct azure_port_context *context = ctx;
    int64_t now = clock_wall_ms();
    char at[TIME_TEXT_SIZE];

    if (arm_id_parse(&id, account_id, err) < 0 ||
        activity_find_running(context->client, &id, now - ACTIVITY_WINDOW_MS, now, &activity, err) < 0)
        return -1;
    if (!activity.caller || activity.ended)
        return 0;
    time_format_rfc3339(activity.started_at, at);
    (void)snprintf(ret, CMK_CULPRIT_SIZE, "by %.120s at %s", activity.caller, at);
    return 0;
}

static int send_patch(struct azure_port_context *context, const struct cmk_view *view, const struct cmk_step *step,
    struct cmk_result *ret, struct err *err)
{
    _cleanup_(arm_id_done) struct arm_id id = {0};
    _cleanup_(cosmos_accepted_done) struct cosmos_accepted accepted = {0};
    _cleanup_(freep) char *body = body_of(view, step->type);
    struct err warning = ERR_INIT;

    if (!body)
        return err_set(err, ERR_INTERNAL, "there is no request for this step");
    if (arm_id_parse(&id, view->resource->spec.account_id, err) < 0 ||
        cosmos_account_patch(
            context->client, &id, body, view->status.operation.correlation_id, &accepted, &warning, err) < 0)
        return -1;
    if (warning.kind != ERR_NONE)
        log_warn(
            "Azure's answer to a change was not used in full", LOG_S("account", id.text), LOG_S("error", warning.msg));
    take_account(&ret->account, &accepted.account);
    ret->status_url = TAKE_PTR(accepted.status_url);
    ret->operation_id = TAKE_PTR(accepted.operation_id);
    return 0;
}

static int send_grant(struct azure_port_context *context, const struct cmk_view *view, struct err *err)
{
    const struct cmk_spec *spec = &view->resource->spec;

    return evidence_grant(context->client, &context->evidence, spec->account_id, spec, &view->account, err) < 0 ? -1
                                                                                                                : 0;
}

static int send_step(
    void *ctx, const struct cmk_view *view, const struct cmk_step *step, struct cmk_result *ret, struct err *err)
{
    struct azure_port_context *context = ctx;
    int r =
        step->type == CMK_GRANT_KEY_ACCESS ? send_grant(context, view, err) : send_patch(context, view, step, ret, err);

    if (context->sent)
        context->sent(context->sent_ctx, step->type, r < 0 ? err : NULL);
    return r;
}

struct azure_port azure_port_make(struct azure_port_context *context)
{
    return (struct azure_port){.ctx = context,
        .read_account = read_account,
        .list_accounts = list_accounts,
        .read_operation = read_operation,
        .gather = gather,
        .read_culprit = read_culprit,
        .send = send_step};
}
