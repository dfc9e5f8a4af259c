/* Runs one fuzz_X over files and over all files of directories, as an ordinary test: a build without libFuzzer keeps
 * what fuzzing has found out. An input that cannot be read, or a directory without any, is a failure. */
#include "fuzz.h"

#include "base/file.h"

#include <dirent.h>
#include <sys/stat.h>

#define MAX_FILE (1 << 20)

static size_t n_run;

static void run_file(const char *path)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(MAX_FILE);
    struct err err = ERR_INIT;

    if (file_read(path, &text, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    /* A copy of exactly its size, so that the address sanitizer sees a read past the end. */
    _cleanup_(freep) uint8_t *exact = malloc(text.len ? text.len : 1);
    FUZZ_CHECK(exact);
    memcpy(exact, buf_str(&text), text.len);
    (void)fprintf(stderr, "%s\n", path); /* the last one named is the one that failed */
    (void)LLVMFuzzerTestOneInput(exact, text.len);
    n_run++;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void run_directory(const char *directory)
{
    struct dirent **entries = NULL;
    int n = scandir(directory, &entries, is_input, alphasort);

    for (int i = 0; i < n; i++) {
        _cleanup_(freep) char *path = xasprintf("%s/%s", directory, entries[i]->d_name);
        run_file(path);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    struct stat found;

    for (int i = 1; i < argc; i++)
        if (stat(argv[i], &found) == 0 && S_ISDIR(found.st_mode))
            run_directory(argv[i]);
        else
            run_file(argv[i]);
    (void)fprintf(stderr, "%zu inputs\n", n_run);
    return n_run ? 0 : 1;
}
