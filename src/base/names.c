/* SPDX-License-Identifier: Apache-2.0 */
#include "base/names.h"

#include <string.h>
#include <sys/auxv.h>

#include "base/wrap.h"

typedef struct NameEntry {
    const char *name; /* NULL: free */
    uint64_t hash;
    void *item;
} NameEntry;

/* 16 random bytes that the system gives each process: nobody can write a file whose names collide. */
static void hash_key(uint64_t key[2]) {
    const void *random = (const void *)getauxval(AT_RANDOM); // NOLINT(performance-no-int-to-ptr)
    key[0] = key[1] = 0;
    if (random)
        memcpy(key, random, 2 * sizeof *key);
}

WRAPS_AROUND static uint64_t rotate(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

WRAPS_AROUND static void mix(uint64_t v[4]) {
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein, 2012). */
static uint64_t hash(const char *name) {
    uint64_t key[2], word;
    size_t length = strlen(name), at = 0;
    hash_key(key);
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
                     key[1] ^ 0x7465646279746573u};
    for (bool last = false; !last; at += sizeof word) {
        last = length - at < sizeof word;
        word = last ? (uint64_t)length << 56 : 0;
        memcpy(&word, name + at, last ? length - at : sizeof word);
        v[3] ^= word;
        mix(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static NameEntry *entry_of(NameEntry *entries, size_t capacity, const char *name, uint64_t hash) {
    size_t at = (size_t)hash & (capacity - 1);
    while (entries[at].name && (entries[at].hash != hash || strcmp(entries[at].name, name) != 0))
        at = (at + 1) & (capacity - 1);
    return &entries[at];
}

bool names_find(const NameMap *map, const char *name, void **item) {
    if (!map->capacity)
        return false;
    const NameEntry *entry = entry_of(map->entries, map->capacity, name, hash(name));
    if (entry->name && item)
        *item = entry->item;
    return entry->name != NULL;
}

void names_forget(NameMap *map, const char *name) {
    if (map->capacity)
        entry_of(map->entries, map->capacity, name, hash(name))->item = NULL;
}

bool names_add(NameMap *map, const char *name, void *item) {
    if (map->count * 2 >= map->capacity) {
        size_t capacity = map->capacity ? map->capacity * 2 : 16;
        NameEntry *entries = region_alloc_array(map->region, capacity, sizeof *entries);
        if (!entries)
            return false;
        for (size_t i = 0; i < map->capacity; i++)
            if (map->entries[i].name)
                *entry_of(entries, capacity, map->entries[i].name, map->entries[i].hash) = map->entries[i];
        map->entries = entries;
        map->capacity = capacity;
    }
    uint64_t hashed = hash(name);
    *entry_of(map->entries, map->capacity, name, hashed) = (NameEntry){name, hashed, item};
    map->count++;
    return true;
}
