/* reference CRD TEMPLATE: writes the reference page of the kind to standard output.
 *
 * The template is what people wrote; a line of it that is <!-- NAME --> stands for a section made from the CRD or from
 * the domain's tables, so nothing that is in one of these can be missing from the page or differ from it. */
#include "reference.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "yaml/yaml_json.h"

#include <stdio.h>
#include <string.h>

#define MAX_INPUT (1 << 20)

static const struct {
    const char *marker;
    void (*from_crd)(struct buf *out, const cJSON *version);
    void (*from_tables)(struct buf *out);
} sections[] = {
    {"<!-- columns -->", reference_columns, NULL},
    {"<!-- spec -->", reference_spec, NULL},
    {"<!-- sentences -->", reference_sentences, NULL},
    {"<!-- status -->", reference_status, NULL},
    {"<!-- reasons -->", NULL, reference_reasons},
    {"<!-- events -->", NULL, reference_events},
};

/* A bar would end the cell; what a reader of Markdown would take for a tag is shown as it is written. */
void reference_cell(struct buf *out, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '|')
            buf_puts(out, "\\|");
        else if (*text == '<')
            buf_puts(out, "&lt;");
        else
            buf_putc(out, *text);
    }
}

static void put_line(struct buf *out, const char *line, const cJSON *version)
{
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        if (strcmp(line, sections[i].marker) != 0)
            continue;
        if (sections[i].from_crd)
            sections[i].from_crd(out, version);
        else
            sections[i].from_tables(out);
        return;
    }
    buf_puts(out, line);
    buf_putc(out, '\n');
}

static int write_page(const char *crd_path, const char *template_path, struct err *err)
{
    _cleanup_(buf_done) struct buf crd = BUF_INIT(MAX_INPUT), template = BUF_INIT(MAX_INPUT),
                                   page = BUF_INIT(MAX_INPUT);
    _cleanup_(json_freep) cJSON *tree = NULL;

    if (file_read(crd_path, &crd, err) < 0 || file_read(template_path, &template, err) < 0 ||
        yaml_read(&tree, crd_path, buf_str(&crd), crd.len, MAX_INPUT, err) < 0)
        return -1;
    const cJSON *version = cJSON_GetArrayItem(json_at(tree, "spec.versions"), 0);
    if (!version)
        return err_set(err, ERR_INVALID, "%s has no version", crd_path);
    for (char *line = template.data, *end; line && *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        put_line(&page, line, version);
    }
    if (page.overflow)
        return err_set(err, ERR_TOO_LARGE, "the page is larger than %d bytes", MAX_INPUT);
    (void)fwrite(buf_str(&page), 1, page.len, stdout);
    return 0;
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;

    if (argc != 3) {
        (void)fputs("usage: reference CRD TEMPLATE\n", stderr);
        return 2;
    }
    if (write_page(argv[1], argv[2], &err) < 0) {
        (void)fprintf(stderr, "reference: %s\n", err.msg);
        return 1;
    }
    return 0;
}
