#include "controller/survey.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cmk/view.h"

const char *survey_phase_name(enum survey_phase phase)
{
    static const char *const names[SURVEY_PHASES] = {"New", "Ready", "Reconciling", "Stalled", "Idle"};

    return (size_t)phase < ARRAY_LEN(names) ? names[phase] : NULL;
}

static const struct cmk_condition *find(const struct cmk_status *status, const char *type)
{
    for (size_t i = 0; i < status->n_conditions; i++)
        if (str_eq(status->conditions[i].type, type))
            return &status->conditions[i];
    return NULL;
}

static bool is_true(const struct cmk_status *status, const char *type)
{
    const struct cmk_condition *c = find(status, type);

    return c && c->status == CMK_TRUE;
}

/* As kstatus decides: Reconciling, Stalled, Ready. */
static enum survey_phase phase_of(const struct cmk_status *status)
{
    if (is_true(status, "Reconciling"))
        return SURVEY_RECONCILING;
    if (is_true(status, "Stalled"))
        return SURVEY_STALLED;
    if (is_true(status, "Ready"))
        return SURVEY_READY;
    return find(status, "Ready") ? SURVEY_IDLE : SURVEY_NEW;
}

static enum cmk_reason reason_of(const struct cmk_condition *ready)
{
    for (int i = 0; ready && i < CMK_REASON_COUNT; i++)
        if (str_eq(ready->reason, cmk_reason_text((enum cmk_reason)i)->word))
            return (enum cmk_reason)i;
    return CMK_REASON_NONE;
}

struct survey_facts survey_facts_of(const struct cmk_resource *resource)
{
    const struct cmk_status *status = &resource->status;
    const struct cmk_condition *key = find(status, "KeyAccessible");

    return (struct survey_facts){.phase = (uint8_t)phase_of(status),
        .reason = (uint8_t)reason_of(find(status, "Ready")),
        .operation = cmk_operation_open(&status->operation) ? (uint8_t)status->operation.type : CMK_NO_STEP,
        .key_lost = key && key->status == CMK_FALSE};
}

void survey_add(struct survey *survey, const struct survey_facts *facts, const struct cmk_resource *resource,
    uint32_t observed_at_s)
{
    survey->resources++;
    survey->states[facts->phase][facts->reason]++;
    survey->key_lost += facts->key_lost;
    if (facts->operation != CMK_NO_STEP) {
        int64_t at = resource->status.operation.requested_at;
        survey->operations[facts->operation]++;
        if (!survey->oldest_operation_at || at < survey->oldest_operation_at)
            survey->oldest_operation_at = at;
    }
    if (!observed_at_s) {
        survey->unobserved++;
        return;
    }
    if (!survey->oldest_observed_s || observed_at_s < survey->oldest_observed_s)
        survey->oldest_observed_s = observed_at_s;
    if (observed_at_s > survey->newest_observed_s)
        survey->newest_observed_s = observed_at_s;
}
