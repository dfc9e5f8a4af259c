/* Telling a story, and judging it at every rest.
 *
 * Changes come through the world's outsider, just before the effect that they are meant for, and so also between the
 * decision of a pass and its deed. Who changes is an old API server's user: nothing is refused. */
#include "sequences/story.h"

#include "base/mem.h"
#include "base/str.h"
#include "sequences/desire.h"
#include "sequences/fresh.h"
#include "sim/life.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_MS (30 * 24 * HOUR_MS)
#define SILENCE_MS HOUR_MS
#define MAX_HELD 32

struct teller {
    const struct story *story;
    struct world *w;
    const char *name;
    cJSON *base;
    bool done[STORY_MAX];
    size_t at[STORY_MAX]; /* the effect that a step comes before; 0: none in sight */
    /* The values that the spec has now, each in place of a member, or one in place of all. */
    const struct value *held[MAX_HELD];
    size_t n_held;
    char *bound; /* the account that it is about */
    struct buf reasons;
    size_t until_rest;
    char *complaint;
};

static struct teller *telling; /* the outsider has no other way to know */

static void complain(struct teller *t, const char *format, ...) _printf_(2, 3);
static void complain(struct teller *t, const char *format, ...)
{
    struct buf b = BUF_INIT(1 << 20);
    va_list args;

    if (t->complaint)
        return;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    t->complaint = buf_take(&b);
}

/* ---- changes ---- */

/* Once its status names an account, a resource is about that one for good. */
static void note_bound(struct teller *t)
{
    const char *name = json_string_at(world_object(t->w, t->name)->json, "status.account.name");

    if (!t->bound && !str_empty(name))
        t->bound = xstrdup(name);
}

static void hold(struct teller *t, const struct value *value)
{
    size_t n = 0;
    bool whole = t->n_held && !t->held[0]->member;

    for (size_t i = 0; i < t->n_held && value->member && !whole; i++)
        if (!str_eq(t->held[i]->member, value->member))
            t->held[n++] = t->held[i];
    t->n_held = n;
    if (t->n_held == MAX_HELD)
        abort();
    t->held[t->n_held++] = value;
}

static const cJSON *spec_of(const struct teller *t)
{
    return json_member(world_object(t->w, t->name)->json, "spec");
}

static void show(struct teller *t, const struct value *value)
{
    _cleanup_(freep) char *to = value->to ? json_print(value->to) : NULL, *what = value_text(value);

    trace_note(t->w,
        "kubectl patch cosmoscmk orders --type=json -p='[{\"op\":\"%s\",\"path\":\"/spec%s%s\"%s%s}]'  # %s",
        to ? "add" : "remove", value->member ? "/" : "", value->member ? value->member : "", to ? ",\"value\":" : "",
        to ? to : "", what);
}

static void put_value(struct teller *t, const struct value *value)
{
    const cJSON *spec = spec_of(t);
    _cleanup_(json_freep) cJSON *next = value_in(value, spec ? spec : NULL);

    if (value->member && !cJSON_IsObject(spec))
        t->n_held = 0; /* the rest of it is the smallest spec */
    hold(t, value);
    show(t, value);
    world_set_spec(t->w, t->name, next);
}

static void put_back(struct teller *t)
{
    trace_note(t->w, "kubectl replace -f orders.yaml  # as it was in the beginning");
    t->n_held = 0;
    world_set_spec(t->w, t->name, t->base);
}

static void approve(struct teller *t)
{
    const char *hash = json_string_at(world_object(t->w, t->name)->json, "status.plan.hash");
    const cJSON *spec = spec_of(t);

    if (!hash || !cJSON_IsObject(spec))
        return;
    _cleanup_(json_freep) cJSON *next = cJSON_Duplicate(spec, true);
    cJSON_DeleteItemFromObjectCaseSensitive(next, "approvedPlan");
    json_add_string(next, "approvedPlan", hash);
    for (size_t i = 0; i < t->n_held; i++)
        if (str_eq(t->held[i]->member, "approvedPlan"))
            t->held[i] = t->held[--t->n_held];
    trace_note(t->w, "somebody approves %s", hash);
    world_set_spec(t->w, t->name, next);
}

static void expect_effect(struct teller *t, size_t i, size_t at)
{
    if (t->w->n_faults == WORLD_MAX_FAULTS)
        abort();
    t->at[i] = at;
    world_fault_at(t->w, at, FAULT_OUTSIDER);
}

static void act(struct teller *t, size_t i)
{
    const struct story_step *step = &t->story->steps[i];

    t->done[i] = true;
    if (i + 1 < t->story->n && step[1].after && !t->done[i + 1])
        expect_effect(t, i + 1, t->w->n_effects + step[1].after);
    note_bound(t);
    if (step->kind == STEP_VALUE)
        put_value(t, step->value);
    else if (step->kind == STEP_BACK)
        put_back(t);
    else
        approve(t);
}

static void outsider(struct world *w)
{
    for (size_t i = 0; i < telling->story->n; i++)
        if (telling->at[i] == w->n_effects && !telling->done[i])
            act(telling, i);
}

/* ---- judging ---- */

static struct desire desire(struct teller *t)
{
    struct wish wish = {.spec = spec_of(t), .bound = t->bound};

    for (size_t i = 0; i < t->n_held; i++) {
        const struct value *value = t->held[i];
        bool invalid = value->own == OWN_INVALID && !value->clashes;
        wish.malformed = wish.malformed || (invalid && !value->accepted);
        wish.unknown = wish.unknown || (invalid && value->accepted);
        wish.unsupported = wish.unsupported || t->held[i]->own == OWN_UNSUPPORTED;
    }
    return desire_of(&wish, t->w, world_object(t->w, t->name));
}

static void expect(struct teller *t, const char *what, const char *is, const char *desired)
{
    if (!str_eq(is, desired))
        complain(t, "%s is \"%s\", and \"%s\" is desired", what, is, desired);
}

static void judge_conditions(struct teller *t)
{
    const struct world_object *o = world_object(t->w, t->name);
    struct desire d = desire(t);

    expect(t, "the reason", world_condition(o, "Ready", "reason"), d.reason);
    expect(t, "Ready", world_condition(o, "Ready", "status"), d.ready);
    expect(t, "Stalled", world_condition(o, "Stalled", "status"), d.stalled ? "True" : "");
    expect(t, "Reconciling", world_condition(o, "Reconciling", "status"), d.reconciling ? "True" : "");
    expect(t, "the reason of Stalled", world_condition(o, "Stalled", "reason"), d.stalled ? d.reason : "");
}

/* One that is bound to another account than its spec names is like no fresh one. */
static void judge_fresh(struct teller *t)
{
    struct err err = ERR_INIT;
    const char *account = json_string_at(spec_of(t), "accountId"), *slash = account ? strrchr(account, '/') : NULL;

    if (t->bound && slash && !str_eq_nocase(slash + 1, t->bound))
        return;
    const char *fresh = fresh_rest(t->w, spec_of(t), &err);
    _cleanup_(freep) char *own = rest_text(t->w, t->name);
    if (!fresh)
        complain(t, "%s", err.msg);
    else if (!str_eq(own, fresh))
        complain(t, "it is\n%sand a fresh resource with the same spec on the same account\n%s", own, fresh);
}

/* False when there is no sense in going on. */
static bool rest_and_judge(struct teller *t)
{
    bool rests = rest_reach(t->w, t->name, PATIENCE_MS);

    note_bound(t);
    if (t->w->violation.len)
        complain(t, "%s", buf_str(&t->w->violation));
    else if (!rests)
        complain(t, "it does not come to rest");
    if (t->complaint)
        return false;
    judge_conditions(t);
    judge_fresh(t);
    if (!t->until_rest)
        t->until_rest = t->w->n_effects;
    buf_printf(&t->reasons, "%s ", world_condition(world_object(t->w, t->name), "Ready", "reason"));
    return !t->complaint;
}

/* ---- the end ---- */

static bool has_reason(const struct teller *t, const char *reason)
{
    return str_eq(world_condition(world_object(t->w, t->name), "Ready", "reason"), reason);
}

/* What was made for the wrong account is deleted and made anew; nothing else helps, and its message says so. */
static void make_anew(struct teller *t)
{
    world_delete(t->w, t->name);
    world_run(t->w, t->w->now - t->w->begin + MINUTE_MS);
    t->name = "orders-again";
    t->n_held = 0;
    str_replace(&t->bound, NULL);
    world_apply(t->w, t->name, NULL, NULL, "");
    world_set_spec(t->w, t->name, t->base);
}

static void end_well(struct teller *t)
{
    put_back(t);
    if (!rest_and_judge(t))
        return;
    if (has_reason(t, "InvalidSpec") && !str_eq_nocase(t->bound, "orders")) {
        make_anew(t);
        if (!rest_and_judge(t))
            return;
    }
    if (has_reason(t, "AwaitingApproval")) {
        approve(t);
        if (!rest_and_judge(t))
            return;
    }
    if (!has_reason(t, "Encrypted"))
        complain(t, "it does not become Ready although all is as it was in the beginning");
    size_t writes = t->w->kube_writes, patches = t->w->n_patches;
    world_run(t->w, t->w->now - t->w->begin + SILENCE_MS);
    if (t->w->kube_writes != writes || t->w->n_patches != patches)
        complain(t, "something is written although nothing has changed");
    if (t->w->violation.len)
        complain(t, "%s", buf_str(&t->w->violation));
}

/* ---- telling ---- */

static void begin(struct teller *t, const struct story *story)
{
    *t = (struct teller){.story = story, .w = world_new(&life_quick), .name = "orders", .reasons = BUF_INIT(65536)};
    telling = t;
    t->w->outsider = outsider;
    t->w->scan = CMK_SCAN_CLEAN;
    for (size_t i = 0; i < story->n; i++)
        if (!story->steps[i].after && story->steps[i].at && story->steps[i].at != AT_REST)
            expect_effect(t, i, story->steps[i].at);
    if (story->fault.fault != FAULT_NONE)
        world_fault_at(t->w, story->fault.at, story->fault.fault);
    story->scenario->begin(t->w);
    t->base = cJSON_Duplicate(spec_of(t), true);
}

static void live(struct teller *t)
{
    for (size_t i = 0; i < t->story->n; i++)
        if (t->story->steps[i].at == 0 && !t->story->steps[i].after)
            act(t, i);
    bool goes_on = rest_and_judge(t);
    for (size_t i = 0; i < t->story->n && goes_on; i++)
        if (!t->done[i]) {
            act(t, i);
            goes_on = rest_and_judge(t);
        }
    if (goes_on)
        end_well(t);
}

struct told story_tell(const struct story *story)
{
    struct teller t;
    struct told told = {0};

    begin(&t, story);
    live(&t);
    told.until_rest = t.until_rest;
    told.complaint = t.complaint;
    told.text = xstrdup(t.complaint ? trace_text(t.w) : NULL);
    told.reasons = buf_take(&t.reasons);
    free(t.bound);
    (void)json_free(t.base);
    (void)world_free(t.w);
    return told;
}

void told_done(struct told *told)
{
    free(told->complaint);
    free(told->text);
    free(told->reasons);
}

static void put_moment(const struct story_step *step, struct buf *b)
{
    if (step->after)
        buf_printf(b, ", %zu effects later", step->after);
    else if (step->at == 0)
        buf_puts(b, " from the beginning");
    else if (step->at == AT_REST)
        buf_puts(b, " at rest");
    else
        buf_printf(b, " before effect %zu", step->at);
}

char *story_text(const struct story *story)
{
    struct buf b = BUF_INIT(65536);

    buf_puts(&b, story->scenario->name);
    for (size_t i = 0; i < story->n; i++) {
        const struct story_step *step = &story->steps[i];
        _cleanup_(freep) char *value = step->value ? value_text(step->value) : NULL;
        buf_printf(&b, "\n  %s",
            step->kind == STEP_VALUE  ? value
            : step->kind == STEP_BACK ? "the first spec again"
                                      : "the plan is approved");
        put_moment(step, &b);
    }
    if (story->fault.fault != FAULT_NONE)
        buf_printf(&b, "\n  %s at effect %zu", fault_name(story->fault.fault), story->fault.at);
    return buf_take(&b);
}
