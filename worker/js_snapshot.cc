/* SPDX-License-Identifier: MIT */
/*
 * js_snapshot.cc - the startup snapshot: V8's heap as it is when the polyfills have run, made when the program is
 * built (js_snapshot_make.cc) and linked into it. V8 ends the process over a snapshot that is not its own, and
 * does not notice one of another build with the same version; so the program asks first whether the very library
 * is mapped that made it, by its build id, and else does without.
 */
#include "worker/js_snapshot.h"

#include "worker/js_internal.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

struct Search {
    uintptr_t code; /* an address of the library that is looked for */
    std::string id;
};

static bool is_in(const dl_phdr_info *object, uintptr_t code)
{
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + part->p_vaddr;

        if (part->p_type == PT_LOAD && code >= start && code - start < part->p_memsz)
            return true;
    }
    return false;
}

/* ELF notes: name and data are each padded to four bytes. */
static void find_id(const char *note, size_t bytes, std::string *ret_id)
{
    while (bytes >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) head;

        memcpy(&head, note, sizeof head);
        size_t name_bytes = (head.n_namesz + 3u) & ~3u, data_bytes = (head.n_descsz + 3u) & ~3u;
        const char *data = note + sizeof head + name_bytes;
        size_t all = sizeof head + name_bytes + data_bytes;
        if (all > bytes)
            return;
        if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 &&
            memcmp(note + sizeof head, "GNU", 4) == 0) {
            char hex[3];
            for (size_t i = 0; i < head.n_descsz; i++) {
                (void)snprintf(hex, sizeof hex, "%02x", (unsigned char)data[i]);
                *ret_id += hex;
            }
            return;
        }
        note += all;
        bytes -= all;
    }
}

static int look(dl_phdr_info *object, size_t, void *arg)
{
    Search *search = static_cast<Search *>(arg);

    if (!is_in(object, search->code))
        return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];

        if (part->p_type == PT_NOTE && search->id.empty())
            find_id(reinterpret_cast<const char *>(object->dlpi_addr + part->p_vaddr),
                    part->p_memsz, &search->id);
    }
    return 1;
}

std::string js_snapshot_identity(void)
{
    Search search = {reinterpret_cast<uintptr_t>(v8::V8::GetVersion()), ""};

    (void)dl_iterate_phdr(look, &search);
    return search.id.empty() ? std::string() : std::string(v8::V8::GetVersion()) + " " + search.id;
}

static bool refused;

void js_snapshot_refuse(void)
{
    refused = true;
}

v8::StartupData *js_snapshot(void)
{
    static v8::StartupData data;
    static bool known;

    if (!known) {
        known = true;
        if (js_snapshot_blob && js_snapshot_bytes && js_snapshot_made_by &&
            js_snapshot_identity() == js_snapshot_made_by) {
            data.data = js_snapshot_blob;
            data.raw_size = (int)js_snapshot_bytes;
        }
    }
    return data.data && !refused ? &data : nullptr;
}

bool js_has_snapshot(void)
{
    return js_snapshot() != nullptr;
}
