/* The words that the controller publishes, from the domain's own tables: which reasons there are, in which state of a
 * resource each stands, which rows of the rules give it, and what to do. */
#include "reference.h"

#include "base/str.h"
#include "cmk/events.h"
#include "cmk/rules.h"

static const struct {
    enum cmk_phase phase;
    const char *title, *conditions;
} phases[] = {
    {CMK_IS_READY, "Done", "`Ready` is True."},
    {CMK_IS_WORKING, "Work goes on", "`Ready` is False and `Reconciling` is True. Nothing is to be done."},
    {CMK_IS_WAITING, "Waiting, as the spec asks", "`Ready` is False and `Reconciling` is True."},
    {CMK_IS_IDLE, "At rest, as the spec asks",
        "`Ready` is False, or Unknown when suspended; neither `Reconciling` nor `Stalled` is there."},
    {CMK_IS_UNREACHABLE, "Azure cannot be asked",
        "`Ready` is Unknown and `Reconciling` is True. A resource that was Ready stays so for the first quarter of an "
        "hour."},
    {CMK_IS_STALLED, "A person must act",
        "`Ready` is False and `Stalled` is True, and the message says what is wrong with this very resource."},
};

/* The row gives the reason for one step or another, to a resource that is in this phase. */
static bool gives(const struct cmk_rule *rule, enum cmk_phase phase, enum cmk_reason reason)
{
    bool published = rule->effect == CMK_REST || rule->effect == CMK_WRITE_AHEAD;

    return published && rule->phase == phase &&
           (cmk_rule_reason(rule, CMK_ENABLE_KEY) == reason || cmk_rule_reason(rule, CMK_ATTACH_IDENTITY) == reason);
}

static void put_rows(struct buf *out, enum cmk_phase phase, enum cmk_reason reason)
{
    const char *separator = "";

    for (size_t i = 0; cmk_rule_at(i); i++)
        if (gives(cmk_rule_at(i), phase, reason)) {
            buf_printf(out, "%s`%s`", separator, cmk_rule_at(i)->name);
            separator = ", ";
        }
}

static bool occurs(enum cmk_phase phase, enum cmk_reason reason)
{
    for (size_t i = 0; cmk_rule_at(i); i++)
        if (gives(cmk_rule_at(i), phase, reason))
            return true;
    return false;
}

void reference_reasons(struct buf *out)
{
    for (size_t p = 0; p < ARRAY_LEN(phases); p++) {
        buf_printf(out, "%s#### %s\n\n%s\n\n", p ? "\n" : "", phases[p].title, phases[p].conditions);
        buf_puts(out, "| reason | meaning | what to do | rules |\n|---|---|---|---|\n");
        for (int r = CMK_REASON_NONE + 1; r < CMK_REASON_COUNT; r++) {
            const struct cmk_reason_text *text = cmk_reason_text((enum cmk_reason)r);
            if (!occurs(phases[p].phase, (enum cmk_reason)r))
                continue;
            buf_printf(out, "| `%s` | ", text->word);
            reference_cell(out, text->meaning);
            buf_puts(out, " | ");
            reference_cell(out, text->todo);
            buf_puts(out, " | ");
            put_rows(out, phases[p].phase, (enum cmk_reason)r);
            buf_puts(out, " |\n");
        }
    }
}

void reference_events(struct buf *out)
{
    struct cmk_event_row row;

    buf_puts(out, "| reason | action | type | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; cmk_event_row(i, &row); i++) {
        buf_printf(out, "| `%s` | %s | %s | ", row.reason, row.action ? row.action : "the step, such as EnableKey",
            row.warning ? "Warning" : "Normal");
        reference_cell(out, row.meaning);
        buf_puts(out, " |\n");
    }
}
