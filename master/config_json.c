/* SPDX-License-Identifier: MIT */
/* config_json.c - see config_json.h. */
#include "master/config_json.h"

#include "master/config_value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define INTEGER_MAX (UINT64_C(1) << 53) /* up to here doubles are exact */
#define NUMBER_BYTES_MAX 32

/* The number as JSON has it; false: it is none. */
static bool integer_text(const char *text, char out[static NUMBER_BYTES_MAX])
{
    const char *sign = *text == '-' ? "-" : "";
    const char *digits = text + (*text == '-' || *text == '+');
    bool is_hex = digits[0] == '0' && digits[1] == 'x';
    const char *set = is_hex ? "0123456789abcdefABCDEF" : "0123456789";
    unsigned long long value;

    digits += is_hex ? 2 : 0;
    if (*digits == '\0' || strspn(digits, set) != strlen(digits) || strlen(digits) > 16 ||
        (!is_hex && digits[0] == '0' && digits[1] != '\0'))
        return false;
    value = strtoull(digits, NULL, is_hex ? 16 : 10);
    if (value > INTEGER_MAX)
        return false;
    (void)snprintf(out, NUMBER_BYTES_MAX, "%s%llu", sign, value);
    return true;
}

/* digits . digits, with an exponent or without, or digits with one; JSON wants a digit on both sides of the point. */
static bool fraction_text(const char *text, char out[static NUMBER_BYTES_MAX])
{
    const char *at = text + (*text == '-' || *text == '+');
    size_t whole = strspn(at, "0123456789");
    size_t part = at[whole] == '.' ? strspn(at + whole + 1, "0123456789") : 0;
    const char *rest = at + whole + (at[whole] == '.' ? 1 + part : 0);

    if (whole == 0 || at[whole] == '\0' || (whole > 1 && *at == '0') ||
        (at[whole] == '.' && part == 0) || strlen(text) >= NUMBER_BYTES_MAX)
        return false;
    if (*rest == 'e' || *rest == 'E') {
        rest += 1 + (rest[1] == '-' || rest[1] == '+');
        if (*rest == '\0' || strspn(rest, "0123456789") > 3)
            return false;
        rest += strspn(rest, "0123456789");
    }
    if (*rest != '\0')
        return false;
    (void)snprintf(out, NUMBER_BYTES_MAX, "%s%s", *text == '-' ? "-" : "", at);
    return true;
}

static void write_string(FILE *to, const char *text)
{
    (void)fputc('"', to);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            (void)fprintf(to, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            (void)fprintf(to, "\\u%04x", (unsigned)(unsigned char)*text);
        else
            (void)fputc(*text, to);
    }
    (void)fputc('"', to);
}

static void write_scalar(FILE *to, const struct config_node *node)
{
    char number[NUMBER_BYTES_MAX];
    bool flag;

    if (!node->is_plain)
        write_string(to, node->text);
    else if (config_value_bool(node->text, &flag) == 0)
        (void)fputs(flag ? "true" : "false", to);
    else if (integer_text(node->text, number) || fraction_text(node->text, number))
        (void)fputs(number, to);
    else
        write_string(to, node->text);
}

/* As deep as CONFIG_YAML_DEPTH_MAX at most. */
static void write_node(FILE *to, const struct config_node *node)
{
    bool is_map = node->kind == CONFIG_NODE_MAP;

    if (node->kind == CONFIG_NODE_NULL) {
        (void)fputs("null", to);
        return;
    }
    if (node->kind == CONFIG_NODE_SCALAR) {
        write_scalar(to, node);
        return;
    }
    (void)fputc(is_map ? '{' : '[', to);
    for (const struct config_node *child = node->first; child; child = child->next) {
        if (child != node->first)
            (void)fputc(',', to);
        if (is_map) {
            write_string(to, child->key->text);
            (void)fputc(':', to);
        }
        write_node(to, child);
    }
    (void)fputc(is_map ? '}' : ']', to);
}

int config_json(const struct config_node *node, char **ret_text)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    if (!to)
        return -ENOMEM;
    write_node(to, node);
    if (fclose(to) != 0 || !text) {
        free(text);
        return -ENOMEM;
    }
    *ret_text = text;
    return 0;
}
