/* Which worlds are explored: each small, all of it. */
#include "model/configs.h"

#include "base/mem.h"

#define LOSSES (FAULT_ANSWER | FAULT_LATE)
#define ALL_EDITS                                                                                                      \
    (EDIT_KEY | EDIT_SUSPEND | EDIT_MANUAL | EDIT_APPROVE | EDIT_OBSERVE | EDIT_INVALID | EDIT_DELETE | EDIT_ASK)
#define ALL_ACTS (ACT_KEY | ACT_BUSY | ACT_BREAK | ACT_REVOKE | ACT_ABSENT | ACT_OLDER | ACT_PREFLIGHT)

const struct model_config model_configs[] = {
    {.name = "quiet", .about = "one process, nothing fails", .processes = 1, .reduced = true},
    {.name = "answers",
        .about = "a change arrives late, never, or its answer is lost; operations fail; crashes",
        .processes = 1,
        .reduced = true,
        .faults = LOSSES | FAULT_REFUSE | FAULT_END | FAULT_CRASH},
    {.name = "url", .about = "the operation's URL is lost, behind, throttled; the account lags", .processes = 1,
        .reduced = true, .faults = FAULT_URL | FAULT_END | FAULT_LAG, .max_faults = 3},
    {.name = "gates", .about = "one edit of any kind, one act of others", .processes = 1, .reduced = true,
        .edits = ALL_EDITS, .max_edits = 1, .acts = ALL_ACTS, .max_acts = 1, .manual = true},
    {.name = "reads", .about = "every read may fail at any time", .processes = 1,
        .faults = FAULT_READ | FAULT_URL | FAULT_GATHER | FAULT_END},
    {.name = "outage", .about = "long and short outages are told apart", .processes = 1, .patient = true,
        .reduced = true, .faults = FAULT_READ, .max_faults = 4},
    {.name = "writes", .about = "status writes fail or their answer is lost; crashes; an edit meets them", .processes = 1,
        .faults = FAULT_WRITE | FAULT_CRASH | LOSSES, .edits = EDIT_KEY | EDIT_SUSPEND, .max_edits = 1},
    {.name = "spec", .about = "two edits of any kind", .processes = 1, .edits = ALL_EDITS, .max_edits = 2},
    {.name = "approval", .about = "three edits about approval and key, of an account with another key", .processes = 1,
        .edits = EDIT_KEY | EDIT_MANUAL | EDIT_APPROVE | EDIT_ASK, .max_edits = 3, .manual = true, .has_key = true},
    {.name = "others", .about = "two acts of others on the account or the fleet", .processes = 1, .acts = ALL_ACTS,
        .max_acts = 2},
    {.name = "crossing", .about = "an edit, an act and a fault meet", .processes = 1, .edits = ALL_EDITS,
        .max_edits = 1, .acts = ALL_ACTS, .max_acts = 1,
        .faults = LOSSES | FAULT_CRASH | FAULT_WRITE | FAULT_END | FAULT_REFUSE, .max_faults = 1},
    {.name = "identity", .about = "identity steps before the key; losses, failures, crashes", .processes = 1,
        .identity = true, .faults = LOSSES | FAULT_END | FAULT_CRASH},
    {.name = "identity-edit", .about = "identity steps, manual approval, two edits", .processes = 1, .identity = true,
        .manual = true, .edits = EDIT_KEY | EDIT_APPROVE | EDIT_ASK, .max_edits = 2},
    {.name = "lease", .about = "two processes and one lease, lost and taken at any moment", .processes = 2,
        .reduced = true, .faults = FAULT_LEASE, .max_faults = 1},
    {.name = "lease-losses", .about = "the same, and a fault of any kind, two in all", .processes = 2,
        .faults = FAULT_LEASE | LOSSES | FAULT_CRASH | FAULT_WRITE | FAULT_END, .max_faults = 2},
    {.name = "pair", .about = "two processes at once, no lease; one change is lost or late", .processes = 2,
        .faults = LOSSES, .max_faults = 1},
    {.name = "pair-edit", .about = "two processes at once, one edit", .processes = 2,
        .edits = EDIT_KEY | EDIT_SUSPEND | EDIT_ASK, .max_edits = 1},
};
const size_t n_model_configs = ARRAY_LEN(model_configs);
