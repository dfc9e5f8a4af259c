/* What preflight looks at besides the account, the grant of access, and who keeps an account busy: answered by the
 * test's own word, at the port, each as one effect. How the real port composes evidence from ARM is tested in
 * tests/unit/controller and tests/e2e; here it is only a fact that can change, come late or fail. */
#include "sim/world.h"

#include "base/mem.h"
#include "base/str.h"

static struct world *world_of(void *ctx)
{
    return (struct world *)((char *)ctx - offsetof(struct world, azure));
}

/* The fault as the caller of the port sees it; 0 when it is none that stands in the way. */
static int failed(enum fault fault, struct err *err)
{
    switch (fault) {
    case FAULT_CRASH_BEFORE:
        return err_set(err, ERR_CANCELLED, "this process is dead");
    case FAULT_429:
        return err_set(err, ERR_THROTTLED, "Too many requests.");
    case FAULT_500:
        return err_set(err, ERR_UNAVAILABLE, "The server encountered an internal error.");
    case FAULT_TOKEN:
        return err_set(err, ERR_UNAUTHORIZED, "AADSTS7000215: Invalid client secret provided.");
    default:
        return 0;
    }
}

static void fill(const struct world *w, struct cmk_evidence *ret)
{
    bool access = !w->no_access;

    ret->gathered = true;
    ret->vault = (struct cmk_vault_evidence){
        .seen = CMK_SEEN, .id = xstrdup("/vaults/contoso"), .soft_delete = true, .purge_protection = !w->purgeable};
    ret->key = (struct cmk_key_evidence){.seen = CMK_SEEN, .enabled = true, .type = xstrdup("RSA"), .may_wrap = true};
    ret->access = (struct cmk_access_evidence){
        .seen = CMK_SEEN, .principal_id = xstrdup("cmk"), .get = access, .wrap = access, .unwrap = access};
    ret->lock.seen = CMK_ABSENT;
    ret->throughput = (struct cmk_throughput_evidence){.seen = CMK_SEEN, .max_percent = 12};
    ret->scan.state = w->scan;
}

static int gather(void *ctx, const struct cmk_view *view _unused_, struct cmk_evidence *ret, struct err *err)
{
    struct world *w = world_of(ctx);
    enum fault fault = world_begin_effect(w, EFFECT_GATHER);

    if (failed(fault, err) < 0) {
        if (!w->dead)
            trace_effect(w, TRACE_NEWS, "look at vault, key, access: %s", err->msg);
        return -1;
    }
    trace_effect(w, TRACE_USUAL, "look at vault, key, access: %s", w->no_access ? "no access" : "well");
    if (world_dies_after(w, fault))
        return err_set(err, ERR_CANCELLED, "this process is dead");
    if (fault == FAULT_PAUSE)
        world_pause(w);
    fill(w, ret);
    return 0;
}

static int read_culprit(void *ctx, const char *account_id _unused_, char ret[static CMK_CULPRIT_SIZE], struct err *err)
{
    struct world *w = world_of(ctx);
    enum fault fault = world_begin_effect(w, EFFECT_GATHER);

    if (failed(fault, err) < 0)
        return -1;
    trace_effect(w, TRACE_USUAL, "GET Activity Log");
    if (world_dies_after(w, fault))
        return err_set(err, ERR_CANCELLED, "this process is dead");
    if (fault == FAULT_PAUSE)
        world_pause(w);
    (void)str_copy(ret, CMK_CULPRIT_SIZE, "by bob@contoso.com at 2026-03-02T09:00:00Z");
    return 0;
}

static int grant(struct world *w, struct err *err)
{
    enum fault fault = world_begin_effect(w, EFFECT_GRANT);

    if (!w->dead && !w->leads)
        return err_set(err, ERR_CANCELLED, "it was no longer permitted");
    if (failed(fault, err) < 0)
        return -1;
    w->no_access = false;
    w->grants++;
    trace_effect(w, TRACE_NEWS, "grant access to the key");
    if (world_dies_after(w, fault)) {
        (void)err_set(err, ERR_CANCELLED, "this process is dead");
        err->maybe_sent = true;
        return -1;
    }
    if (fault == FAULT_PAUSE)
        world_pause(w);
    return 0;
}

static int send_step(
    void *ctx, const struct cmk_view *view, const struct cmk_step *step, struct cmk_result *ret, struct err *err)
{
    struct world *w = world_of(ctx);

    if (step->type == CMK_GRANT_KEY_ACCESS)
        return grant(w, err);
    return w->patch_port(ctx, view, step, ret, err);
}

struct azure_port world_azure_port(struct world *w)
{
    w->azure = (struct azure_port_context){.client = w->arm};
    struct azure_port port = azure_port_make(&w->azure);

    w->patch_port = port.send;
    port.gather = gather;
    port.read_culprit = read_culprit;
    port.send = send_step;
    return port;
}
