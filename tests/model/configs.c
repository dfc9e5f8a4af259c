/* Which worlds are explored: each small, all of it. */
#include "model/configs.h"

#include "base/mem.h"

#define LOSSES (FAULT_ANSWER | FAULT_LATE)

const struct model_config model_configs[] = {
    {.name = "quiet", .about = "one process, no fault", .processes = 1, .reduced = true},
    {.name = "reads", .about = "every read may fail", .processes = 1,
        .faults = FAULT_READ | FAULT_URL | FAULT_GATHER | FAULT_END | FAULT_LAG},
    {.name = "answers", .about = "changes arrive late, never, or their answer is lost", .processes = 1,
        .faults = LOSSES | FAULT_REFUSE | FAULT_END | FAULT_CRASH},
    {.name = "writes", .about = "status writes fail, processes die, edits meet them", .processes = 1,
        .faults = FAULT_WRITE | FAULT_CRASH | LOSSES, .edits = EDIT_KEY | EDIT_SUSPEND, .max_edits = 1},
    {.name = "spec", .about = "two edits of the spec, of any kind", .processes = 1, .max_edits = 2, .manual = true,
        .edits = EDIT_KEY | EDIT_SUSPEND | EDIT_MANUAL | EDIT_APPROVE | EDIT_OBSERVE | EDIT_INVALID | EDIT_DELETE | EDIT_ASK},
    {.name = "others", .about = "two acts of others on the account or the fleet", .processes = 1, .max_acts = 2,
        .acts = ACT_KEY | ACT_BUSY | ACT_BREAK | ACT_REVOKE | ACT_ABSENT | ACT_OLDER | ACT_PREFLIGHT},
    {.name = "identity", .about = "identity steps before the key", .processes = 1, .identity = true,
        .faults = LOSSES | FAULT_END | FAULT_CRASH},
    {.name = "pair", .about = "two processes at once", .processes = 2, .faults = LOSSES, .max_faults = 1},
    {.name = "pair2", .about = "two processes at once", .processes = 2, .faults = LOSSES | FAULT_CRASH | FAULT_WRITE | FAULT_END, .max_faults = 2},
    {.name = "pair3", .about = "two processes at once, edits", .processes = 2, .faults = LOSSES | FAULT_WRITE, .max_faults = 1, .edits = EDIT_KEY | EDIT_SUSPEND | EDIT_ASK, .max_edits = 1},
    {.name = "mix", .about = "edits, acts, faults", .processes = 1, .max_edits = 2, .max_acts = 1, .max_faults = 2, .edits = EDIT_KEY | EDIT_SUSPEND | EDIT_ASK, .acts = ACT_KEY | ACT_BUSY | ACT_BREAK | ACT_ABSENT | ACT_OLDER,
        .faults = LOSSES | FAULT_CRASH | FAULT_WRITE | FAULT_END | FAULT_LAG | FAULT_REFUSE},
};
const size_t n_model_configs = ARRAY_LEN(model_configs);
