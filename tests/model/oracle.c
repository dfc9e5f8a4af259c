/* What must hold at every transition (design.md section 3, invariants 1 to 5), judged by the world and by what the pass
 * was seen to read. The rules, their table and their verdicts are not asked. */
#include "model/model.h"

static void broken(struct model_sink *sink, const char *what)
{
    if (!sink->broken)
        sink->broken = what;
}

/* The spec that the change was written ahead for: the write was conditional on it, so it was in force at that moment.
 */
static void check_spec(const struct model_resource *r, const struct model_core *core, struct model_sink *sink)
{
    if (r->deleting)
        broken(sink, "a change is sent for a deleted resource");
    if (r->invalid)
        broken(sink, "a change is sent for an invalid spec");
    if (r->suspend)
        broken(sink, "a change is sent for a suspended resource");
    if (r->observe)
        broken(sink, "a change is sent although the mode is Observe");
    if (r->manual && (!r->approved || r->approved != model_status(core->status)->hash))
        broken(sink, "a change is sent without approval");
    if (core->older)
        broken(sink, "a change is sent by a resource that does not own the account");
}

static enum cmk_step_type due(const struct model_account *account, uint8_t key, const struct model_config *config)
{
    if (config->identity && !account->attached)
        return CMK_ATTACH_IDENTITY;
    if (config->identity && !account->identity)
        return CMK_SET_DEFAULT_IDENTITY;
    return account->key != key ? CMK_ENABLE_KEY : CMK_NO_STEP;
}

static void check_seen(const struct model_process *p, const struct model_step *step, struct model_sink *sink)
{
    const struct model_witness *w = &p->witness;

    if (w->answered)
        broken(sink, "a change is sent right after Azure has answered one");
    if (!w->ahead)
        broken(sink, "a change is sent that was not written ahead in this pass");
    if (w->read != 2)
        broken(sink, "a change is sent and the account was not read since the write-ahead");
    if (w->account.state != STATE_SUCCEEDED)
        broken(sink, "a change is sent to an account that was read as not at rest");
    if (step->type != due(&w->account, step->core.resource.key, sink->config))
        broken(sink, "what is sent is not the one next step");
    if (w->evidence != 1)
        broken(sink, "a change is sent and preflight has not passed in this pass");
}

/* What the API server holds is what is sent: else a crash now would forget it. Somebody may have edited the spec since,
 * or another process have ended the record, but only after this process wrote it. */
static void check_record(
    const struct model_world *world, unsigned process, const struct model_step *step, struct model_sink *sink)
{
    const struct model_status *held = model_status(world->resource.status);
    const struct model_status *ours = model_status(step->core.status);

    if (!ours->requested || ours->type != step->type || ours->sender != process)
        broken(sink, "a change is sent that is not the one on record");
    if (step->type == CMK_ENABLE_KEY && ours->key != step->core.resource.key)
        broken(sink, "a key is sent that is not the one on record");
    if (world->process[process].fresh && (!held->requested || held->type != step->type || held->sender != process))
        broken(sink, "a change is sent that the API server has no record of");
}

void model_oracle_send(
    const struct model_world *world, unsigned process, const struct model_step *step, struct model_sink *sink)
{
    const struct model_process *p = &world->process[process];

    check_spec(&step->core.resource, &step->core, sink);
    check_seen(p, step, sink);
    check_record(world, process, step, sink);
    if (!p->core.leads)
        broken(sink, "a change is sent by a process that does not lead");
    if (world->azure.flight.type)
        broken(sink, "a change is sent while an earlier one may still arrive");
    if (world->unknown & (1U << process))
        broken(sink, "a change is sent and the outcome of the last one is unknown to this process");
}

/* The same key once, but for what Azure reported as failed and what others undid. */
void model_oracle_accept(struct model_world *world, const struct model_change *change, struct model_sink *sink)
{
    if (change->type != CMK_ENABLE_KEY)
        return;
    if (world->accepted[change->key])
        broken(sink, "Azure accepts a key that it has accepted before and that did not fail");
    world->accepted[change->key] = true;
}

void model_oracle_ended(struct model_world *world, const struct model_change *change, enum model_end end)
{
    if (change->type != CMK_ENABLE_KEY)
        return;
    if (end != END_WELL)
        world->accepted[change->key] = false;
    else /* from now on any other key is a new change */
        for (uint8_t key = 0; key < KEY_FOREIGN; key++)
            world->accepted[key] = key == change->key;
}

void model_oracle_rest(
    const struct model_world *world, unsigned process, const struct model_step *step, struct model_sink *sink)
{
    const struct model_witness *w = &world->process[process].witness;

    if (step->phase != CMK_IS_READY)
        return;
    if (!w->read)
        broken(sink, "Ready is claimed and the account was not read in this pass");
    if (w->account.state != STATE_SUCCEEDED)
        broken(sink, "Ready is claimed and the account was read as not at rest");
    if (w->account.key != step->core.resource.key || due(&w->account, step->core.resource.key, sink->config))
        broken(sink, "Ready is claimed and the account was read as not as desired");
    if (w->account.revoked)
        broken(sink, "Ready is claimed and the key was read as revoked");
    if (model_status(step->core.status)->open)
        broken(sink, "Ready is claimed while an operation is open");
}

/* Whoever starts now with nothing but the status still knows of what runs or may arrive. */
void model_oracle_idle(const struct model_world *world, struct model_sink *sink)
{
    const struct model_azure *azure = &world->azure;
    const struct model_status *held = model_status(world->resource.status);
    const struct model_change *change = azure->flight.type ? &azure->flight : &azure->running;

    if (!change->type || world->resource.deleting)
        return;
    if (!held->open)
        broken(sink, "an operation of ours runs or may still arrive, and the status does not have it open");
    else if (held->type != change->type || (change->type == CMK_ENABLE_KEY && held->key != change->key))
        broken(sink, "an operation of ours runs or may still arrive, and the status has another one open");
}
