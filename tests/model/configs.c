/* Which worlds are explored: each small, all of it. */
#include "model/configs.h"

#include "base/mem.h"

#define LOSSES (FAULT_ANSWER | FAULT_LATE)

const struct model_config model_configs[] = {
    {.name = "quiet", .about = "one process, no fault", .processes = 1},
    {.name = "reads", .about = "every read may fail", .processes = 1,
        .faults = FAULT_READ | FAULT_URL | FAULT_GATHER | FAULT_END | FAULT_LAG},
    {.name = "answers", .about = "changes arrive late, never, or their answer is lost", .processes = 1,
        .faults = LOSSES | FAULT_REFUSE | FAULT_END | FAULT_CRASH},
    {.name = "writes", .about = "status writes fail, processes die, edits meet them", .processes = 1,
        .faults = FAULT_WRITE | FAULT_CRASH | LOSSES, .edits = EDIT_KEY | EDIT_SUSPEND, .max_edits = 1},
};
const size_t n_model_configs = ARRAY_LEN(model_configs);
