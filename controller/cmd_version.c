/* cosmoscmk version */
#include "base/cleanup.h"
#include "controller/commands.h"

#include <stdio.h>

int cmd_version(int argc _unused_, char **argv _unused_)
{
    (void)printf("cosmoscmk %s\n", COSMOSCMK_VERSION);
    return 0;
}
