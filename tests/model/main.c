/* model [--reduced | NAME...]: explores the configurations and prints what each of them was; exits with 1 and a trace
 * at the first that is broken. */
#include "base/buf.h"
#include "base/str.h"
#include "model/configs.h"

#include <stdio.h>

#define MAX_STATES 40000000
#define MAX_REDUCED 2000000

static bool is_wanted(const struct model_config *config, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (str_eq(argv[i], config->name) || (str_eq(argv[i], "--reduced") && config->reduced))
            return true;
    return argc == 1;
}

static int explore(const struct model_config *config)
{
    _cleanup_(buf_done) struct buf trace = BUF_INIT(1 << 24);
    struct model_figures f;

    int r = model_explore(config, config->reduced ? MAX_REDUCED : MAX_STATES, &f, &trace);
    printf("%-12s %10zu %12zu %6zu %8zu %8zu %8.1f  %s\n", config->name, f.states, f.transitions, f.depth, f.cores,
        f.statuses, f.seconds, config->about);
    if (r < 0)
        printf("BROKEN: %s\n%s", config->name, buf_str(&trace));
    (void)fflush(stdout);
    return r;
}

int main(int argc, char **argv)
{
    int n = 0;

    printf("%-12s %10s %12s %6s %8s %8s %8s\n", "world", "states", "transitions", "depth", "decided", "statuses",
        "seconds");
    for (size_t i = 0; i < n_model_configs; i++) {
        if (!is_wanted(&model_configs[i], argc, argv))
            continue;
        n++;
        if (explore(&model_configs[i]) < 0)
            return 1;
    }
    return n > 0 ? 0 : 2;
}
