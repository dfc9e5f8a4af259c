/* Who else acts: people who edit the resource, and others who change the account or the fleet. Each edit makes a new
 * generation, so they are counted; acts are counted as well, where they do not undo themselves. */
#include "model/model.h"

#define MAX_ASKED 3

static bool may_edit(const struct model_world *world, const struct model_sink *sink, enum model_edit edit)
{
    return (sink->config->edits & edit) && world->edits > 0 && !world->resource.deleting;
}

static void edited(const struct model_world *world, struct model_resource resource, bool generation,
    struct model_sink *sink, const char *what)
{
    struct model_world next = *world;

    model_tell(sink, "people: %s", what);
    next.resource = resource;
    next.resource.generation = (uint8_t)(next.resource.generation + generation);
    next.edits--;
    if (!model_status(world->resource.status)->open)
        next.misfortune = false; /* what had failed until now is tried again */
    model_world_written(&next, MODEL_PROCESSES);
    model_emit(sink, &next);
}

static void switch_edits(const struct model_world *world, struct model_sink *sink)
{
    struct model_resource r = world->resource;

    if (may_edit(world, sink, EDIT_KEY)) {
        r.key = r.key == KEY_FIRST ? KEY_SECOND : KEY_FIRST;
        edited(world, r, true, sink, r.key == KEY_FIRST ? "the first key again" : "the second key");
    }
    r = world->resource;
    if (may_edit(world, sink, EDIT_SUSPEND)) {
        r.suspend = !r.suspend;
        edited(world, r, true, sink, r.suspend ? "suspended" : "no longer suspended");
    }
    r = world->resource;
    if (may_edit(world, sink, EDIT_OBSERVE)) {
        r.observe = !r.observe;
        edited(world, r, true, sink, r.observe ? "mode Observe" : "mode Enforce");
    }
    r = world->resource;
    if (may_edit(world, sink, EDIT_INVALID)) {
        r.invalid = !r.invalid;
        edited(world, r, true, sink, r.invalid ? "an invalid key URI" : "a valid key URI again");
    }
}

static void other_edits(const struct model_world *world, struct model_sink *sink)
{
    struct model_resource r = world->resource;
    uint8_t hash = model_status(world->resource.status)->hash;

    if (may_edit(world, sink, EDIT_MANUAL)) {
        r.manual = !r.manual;
        edited(world, r, true, sink, r.manual ? "approval Manual" : "approval Automatic");
    }
    r = world->resource;
    if (may_edit(world, sink, EDIT_APPROVE) && hash && r.approved != hash) {
        r.approved = hash;
        edited(world, r, true, sink, "the published plan is approved");
    }
    r = world->resource;
    if (may_edit(world, sink, EDIT_ASK) && r.asked < MAX_ASKED) {
        r.asked++;
        edited(world, r, false, sink, "a reconciliation is asked for");
    }
    r = world->resource;
    if (may_edit(world, sink, EDIT_DELETE)) {
        r.deleting = true;
        edited(world, r, true, sink, "deleted");
    }
}

static bool may_act(
    struct model_world *next, const struct model_world *world, const struct model_sink *sink, enum model_act act)
{
    *next = *world;
    if (!(sink->config->acts & act) || world->acts == 0)
        return false;
    next->acts--;
    return true;
}

static void act_on_account(const struct model_world *world, struct model_sink *sink)
{
    bool rests = world->azure.exists && world->azure.account.state == STATE_SUCCEEDED && !world->azure.lags;
    struct model_world next;

    if (rests && may_act(&next, world, sink, ACT_KEY) && world->azure.account.key != KEY_FOREIGN) {
        model_tell(sink, "others: a foreign key is set");
        next.azure.account.key = KEY_FOREIGN;
        next.misfortune = true; /* what we set, or are about to set, seems to have had no effect */
        __builtin_memset(next.accepted, 0, sizeof(next.accepted));
        model_emit(sink, &next);
    }
    if (rests && may_act(&next, world, sink, ACT_BUSY)) {
        model_tell(sink, "others: an operation is started");
        next.azure.account.state = STATE_UPDATING;
        next.azure.holder = HOLDER_THEIRS;
        model_emit(sink, &next);
    }
    if (rests && may_act(&next, world, sink, ACT_BREAK)) {
        model_tell(sink, "others: the account is broken");
        next.azure.account.state = STATE_FAILED;
        model_emit(sink, &next);
    }
    if (world->azure.account.state == STATE_FAILED && may_act(&next, world, sink, ACT_BREAK)) {
        model_tell(sink, "others: the account is repaired");
        next.azure.account.state = STATE_SUCCEEDED;
        model_emit(sink, &next);
    }
}

static void act_on_life(const struct model_world *world, struct model_sink *sink)
{
    struct model_world next;

    if (world->azure.exists && world->azure.holder == HOLDER_NONE && !world->azure.lags &&
        may_act(&next, world, sink, ACT_ABSENT)) {
        model_tell(sink, "others: the account is deleted");
        next.azure.exists = false;
        next.azure.account = (struct model_account){0};
        __builtin_memset(next.accepted, 0, sizeof(next.accepted));
        model_emit(sink, &next);
    }
    if (!world->azure.exists && may_act(&next, world, sink, ACT_ABSENT)) {
        model_tell(sink, "others: the account is created");
        next.azure.exists = true;
        model_emit(sink, &next);
    }
    if (world->azure.account.key && may_act(&next, world, sink, ACT_REVOKE)) {
        next.azure.account.revoked = !next.azure.account.revoked;
        model_tell(sink, "others: the key is %s", next.azure.account.revoked ? "revoked" : "accessible again");
        model_emit(sink, &next);
    }
    if (may_act(&next, world, sink, ACT_PREFLIGHT)) {
        next.azure.preflight_fails = !next.azure.preflight_fails;
        model_tell(sink, "others: a lock %s", next.azure.preflight_fails ? "forbids changes" : "is removed");
        model_emit(sink, &next);
    }
}

static void act_on_fleet(const struct model_world *world, struct model_sink *sink)
{
    struct model_world next;

    if (!may_act(&next, world, sink, ACT_OLDER))
        return;
    next.older = !next.older;
    model_tell(sink, "people: an older resource for the account %s", next.older ? "appears" : "goes");
    for (unsigned p = 0; p < sink->config->processes && !next.older; p++)
        next.process[p].awake = true; /* whose turn it is now is enqueued */
    model_emit(sink, &next);
}

void model_people_moves(const struct model_world *world, struct model_sink *sink)
{
    switch_edits(world, sink);
    other_edits(world, sink);
    act_on_account(world, sink);
    act_on_life(world, sink);
    act_on_fleet(world, sink);
}
