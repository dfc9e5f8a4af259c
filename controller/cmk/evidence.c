#include "cmk/evidence.h"

#include <stdlib.h>

void cmk_evidence_done(struct cmk_evidence *evidence)
{
    free(evidence->vault.id);
    free(evidence->key.type);
    free(evidence->access.principal_id);
    free(evidence->access.deny);
    free(evidence->lock.name);
    free(evidence->lock.scope);
    free(evidence->throughput.container);
    free(evidence->scan.first_offender);
    *evidence = (struct cmk_evidence){0};
}
