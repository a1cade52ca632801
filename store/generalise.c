#include "store/generalise.h"

#include <stdlib.h>
#include <string.h>

/* Of a group, so many templates at most are looked at to tell which words stay. */
#define SAMPLE 512u
/* A word that one in so many of a group's texts has is frequent, and so many at least. */
#define FREQUENT 20u
#define LEAST_FREQUENT 8u
/* Where frequent words stand in so many of a hundred texts, they tell messages apart. */
#define TELLING 90u
/* Stands for a word in what alike templates have in common. A pattern that holds it itself is left alone. */
#define WORD_MARK '\1'

struct word {
	uint32_t start;
	uint32_t len;
	uint32_t slots_before;
};

/* A template taken apart; those of a group have the same number of words. */
struct candidate {
	size_t index; /* among the caller's templates */
	uint32_t texts;
	struct iq_view pattern;
	struct word *words;
	uint32_t word_count;
	uint32_t next; /* in its group: 1 + index, or 0 */
};

struct group {
	uint32_t first; /* 1 + index of a candidate */
	uint32_t last;
	uint32_t members;
};

struct generaliser {
	struct iq_arena *arena;
	struct candidate *candidates;
	struct iq_general_template *results;
	struct iq_map skeletons;
	struct group *groups;
	size_t group_capacity;
	struct iq_buf skeleton;
	struct iq_map words; /* at one place of the sample, to how many texts have them */
};

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* ---- Taking a pattern apart ---- */

/* The length of the slot or of the doubled bracket at `at`. */
static size_t bracket_length(struct iq_view pattern, size_t at)
{
	const char *end;

	if (pattern.data[at + 1] == '<')
		return 2;
	end = memchr(pattern.data + at, '>', pattern.len - at);
	return end ? (size_t)(end - (pattern.data + at)) + 1 : pattern.len - at;
}

/* Is the word at `at` the name of a JSON member? */
static bool is_member_name(struct iq_view pattern, size_t at, size_t end)
{
	return at > 0 && pattern.data[at - 1] == '"' && end + 1 < pattern.len && pattern.data[end] == '"' &&
	       pattern.data[end + 1] == ':';
}

/* Where the word at `at` ends, with the spaces that pad it to a width. */
static size_t word_end(struct iq_view pattern, size_t at)
{
	size_t padded;

	while (at < pattern.len && is_word_byte(pattern.data[at]))
		at++;
	for (padded = at; padded < pattern.len && pattern.data[padded] == ' '; padded++)
		;
	return padded > at + 1 ? padded : at;
}

/* Sets `words` and the skeleton; false where there is nothing to make more general. */
static bool take_apart(struct generaliser *generaliser, struct iq_view pattern, struct word *words, uint32_t *ret_count)
{
	uint32_t count = 0, slots = 0;

	iq_buf_clear(&generaliser->skeleton);
	for (size_t at = 0, end; at < pattern.len; at = end) {
		if (pattern.data[at] == WORD_MARK)
			return false;
		end = at + 1;
		if (pattern.data[at] == '<' && at + 1 < pattern.len) {
			end = at + bracket_length(pattern, at);
			slots += end - at > 2;
		} else if (is_word_byte(pattern.data[at])) {
			end = word_end(pattern, at);
			if (!is_member_name(pattern, at, end)) {
				if (count == IQ_GENERALISE_MAX_WORDS)
					return false;
				words[count++] = (struct word){ (uint32_t)at, (uint32_t)(end - at), slots };
				(void)iq_buf_append_char(&generaliser->skeleton, WORD_MARK);
				continue;
			}
		}
		(void)iq_buf_append(&generaliser->skeleton, iq_view_make(pattern.data + at, end - at));
	}
	*ret_count = count;
	return count > 0;
}

static int join_group(struct generaliser *generaliser, uint32_t candidate)
{
	struct group *group;
	uint32_t index;
	int rc = generaliser->skeleton.failed
			 ? IQ_ERR_NOMEM
			 : iq_map_intern(&generaliser->skeletons, iq_buf_view(&generaliser->skeleton), &index);

	if (rc < 0 || IQ_ARRAY_GROW(generaliser->groups, generaliser->group_capacity, (size_t)index + 1) < 0)
		return IQ_ERR_NOMEM;
	group = &generaliser->groups[index];
	if (group->last)
		generaliser->candidates[group->last - 1].next = candidate + 1;
	else
		group->first = candidate + 1;
	group->last = candidate + 1;
	group->members++;
	return 0;
}

static int add_candidate(struct generaliser *generaliser, const struct iq_rare_template *from, size_t index)
{
	struct candidate *candidate = &generaliser->candidates[index];
	struct word words[IQ_GENERALISE_MAX_WORDS];

	*candidate = (struct candidate){ .index = index, .texts = from->texts, .pattern = from->pattern };
	if (!take_apart(generaliser, from->pattern, words, &candidate->word_count))
		return 0;
	candidate->words = iq_arena_alloc(generaliser->arena, candidate->word_count * sizeof(*words));
	if (!candidate->words)
		return IQ_ERR_NOMEM;
	memcpy(candidate->words, words, candidate->word_count * sizeof(*words));
	return join_group(generaliser, (uint32_t)index);
}

static struct iq_view word_at(const struct candidate *candidate, size_t place)
{
	const struct word *word = &candidate->words[place];

	return iq_view_make(candidate->pattern.data + word->start, word->len);
}

/* ---- Which words stay ---- */

enum place_state { OPEN, STAYS, VARIES };

/* Members that are told apart by the words before them, and what is known of their places. */
struct part {
	const struct candidate **members;
	size_t count;
	uint8_t places[IQ_GENERALISE_MAX_WORDS];
};

static bool is_sampled(const struct part *part, size_t index)
{
	return part->count <= SAMPLE || index % (part->count / SAMPLE + 1) == 0;
}

/* Counts the words at a place of the sample; the number of texts looked at. */
static int count_words(struct generaliser *generaliser, const struct part *part, size_t place, uint64_t *ret_texts)
{
	uint32_t index;

	iq_map_clear(&generaliser->words);
	*ret_texts = 0;
	for (size_t i = 0; i < part->count; i++) {
		int rc;

		if (!is_sampled(part, i))
			continue;
		rc = iq_map_intern(&generaliser->words, word_at(part->members[i], place), &index);
		if (rc < 0)
			return rc;
		if (rc == 1)
			generaliser->words.entries[index].value = 0;
		generaliser->words.entries[index].value += part->members[i]->texts;
		*ret_texts += part->members[i]->texts;
	}
	return 0;
}

static bool is_frequent(uint64_t word_texts, uint64_t texts)
{
	return word_texts >= LEAST_FREQUENT && word_texts * FREQUENT >= texts;
}

/* How many texts have a frequent word there. */
static uint64_t told_by(const struct generaliser *generaliser, uint64_t texts)
{
	uint64_t told = 0;

	for (size_t i = 0; i < generaliser->words.count; i++)
		if (is_frequent(generaliser->words.entries[i].value, texts))
			told += generaliser->words.entries[i].value;
	return told;
}

/* The place whose words tell most texts apart, into *ret_place; `words` of the part's places has none if there is no such place. */
static int find_telling(struct generaliser *generaliser, struct part *part, size_t words, size_t *ret_place)
{
	uint64_t best = 0, texts;

	*ret_place = words;
	for (size_t place = 0; place < words; place++) {
		uint64_t told;

		if (part->places[place] != OPEN)
			continue;
		if (count_words(generaliser, part, place, &texts) < 0)
			return IQ_ERR_NOMEM;
		if (generaliser->words.count == 1) {
			part->places[place] = STAYS;
			continue;
		}
		told = told_by(generaliser, texts);
		if (told * 100 >= texts * TELLING && told > best) {
			best = told;
			*ret_place = place;
		}
	}
	return 0;
}

/* ---- What becomes of a template ---- */

/* Does the slot of one word go on with the next word? */
static bool goes_on(const struct part *part, const struct candidate *member, size_t place)
{
	const struct word *word = &member->words[place];

	return place + 1 < member->word_count && part->places[place] == VARIES && part->places[place + 1] == VARIES &&
	       word[1].start == word->start + word->len + 1 && member->pattern.data[word->start + word->len] == ' ';
}

/* Replaces the words that vary. */
static int rewrite(struct generaliser *generaliser, const struct part *part, const struct candidate *member)
{
	struct iq_general_template *result = &generaliser->results[member->index];
	struct iq_buf *pattern = &generaliser->skeleton;
	size_t copied = 0;

	iq_buf_clear(pattern);
	result->slots = iq_arena_alloc(generaliser->arena, member->word_count * sizeof(*result->slots));
	if (!result->slots)
		return IQ_ERR_NOMEM;
	for (size_t place = 0; place < member->word_count; place++) {
		const struct word *first = &member->words[place], *last;

		if (part->places[place] != VARIES)
			continue;
		while (goes_on(part, member, place))
			place++;
		last = &member->words[place];
		result->slots[result->slot_count++] =
			(struct iq_word_slot){ first->slots_before,
					       iq_view_make(member->pattern.data + first->start,
							    last->start + last->len - first->start) };
		(void)iq_buf_append(pattern, iq_view_make(member->pattern.data + copied, first->start - copied));
		(void)iq_buf_append(pattern, IQ_LIT("<str>"));
		copied = last->start + last->len;
	}
	if (result->slot_count == 0)
		return 0;
	(void)iq_buf_append(pattern, iq_view_from(member->pattern, copied));
	result->pattern = iq_arena_copy(generaliser->arena, iq_buf_view(pattern));
	return pattern->failed || !result->pattern.data ? IQ_ERR_NOMEM : 0;
}

static int settle(struct generaliser *generaliser, struct part *part, size_t words)
{
	int rc = 0;

	for (size_t place = 0; place < words; place++)
		if (part->places[place] == OPEN)
			part->places[place] = VARIES;
	for (size_t i = 0; i < part->count && rc == 0; i++)
		rc = rewrite(generaliser, part, part->members[i]);
	return rc;
}

static int partition(struct generaliser *generaliser, struct part *part, size_t words);

/* The frequent words that tell the members apart at a place: each has a part of its own, the other members one together, in which
 * the place varies. */
static int divide(struct generaliser *generaliser, const struct part *part, size_t words, size_t place)
{
	struct iq_map frequent = IQ_MAP_INIT;
	struct part *inner = NULL;
	uint64_t texts;
	uint32_t index;
	size_t parts;
	int rc = count_words(generaliser, part, place, &texts);

	for (size_t i = 0; i < generaliser->words.count && rc >= 0; i++)
		if (is_frequent(generaliser->words.entries[i].value, texts))
			rc = iq_map_intern(&frequent, generaliser->words.entries[i].key, &index);
	parts = frequent.count + 1;
	inner = rc < 0 ? NULL : iq_arena_calloc(generaliser->arena, parts, sizeof(*inner));
	rc = inner ? 0 : IQ_ERR_NOMEM;
	for (size_t i = 0; i < parts && rc == 0; i++) {
		memcpy(inner[i].places, part->places, sizeof(inner[i].places));
		inner[i].places[place] = i < frequent.count ? STAYS : VARIES;
		inner[i].members = iq_arena_alloc(generaliser->arena, part->count * sizeof(struct candidate *));
		rc = inner[i].members ? 0 : IQ_ERR_NOMEM;
	}
	for (size_t i = 0; i < part->count && rc == 0; i++) {
		const uint64_t *number = iq_map_get(&frequent, word_at(part->members[i], place));
		struct part *to = &inner[number ? *number : frequent.count];

		to->members[to->count++] = part->members[i];
	}
	iq_map_release(&frequent);
	for (size_t i = 0; i < parts && rc == 0; i++)
		if (inner[i].count > 0)
			rc = partition(generaliser, &inner[i], words);
	return rc;
}

/* Depth is at most the number of words: each division settles a place. */
static int partition(struct generaliser *generaliser, struct part *part, size_t words)
{
	size_t place;
	int rc = find_telling(generaliser, part, words, &place);

	if (rc < 0)
		return rc;
	return place < words ? divide(generaliser, part, words, place) : settle(generaliser, part, words);
}

static int generalise_group(struct generaliser *generaliser, const struct group *group)
{
	struct part part = { 0 };
	uint32_t at = group->first;

	if (group->members < 2)
		return 0;
	part.members = iq_arena_alloc(generaliser->arena, group->members * sizeof(struct candidate *));
	if (!part.members)
		return IQ_ERR_NOMEM;
	for (; at != 0; at = generaliser->candidates[at - 1].next)
		part.members[part.count++] = &generaliser->candidates[at - 1];
	return partition(generaliser, &part, part.members[0]->word_count);
}

int iq_generalise(const struct iq_rare_template *templates, size_t count, struct iq_arena *arena,
		  struct iq_general_template *ret_templates)
{
	struct generaliser generaliser = {
		.arena = arena, .results = ret_templates, .skeletons = IQ_MAP_INIT, .words = IQ_MAP_INIT
	};
	int rc;

	memset(ret_templates, 0, count * sizeof(*ret_templates));
	generaliser.candidates = iq_arena_alloc(arena, (count + 1) * sizeof(*generaliser.candidates));
	rc = generaliser.candidates ? 0 : IQ_ERR_NOMEM;
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = add_candidate(&generaliser, &templates[i], i);
	for (size_t i = 0; i < generaliser.skeletons.count && rc == 0; i++)
		rc = generalise_group(&generaliser, &generaliser.groups[i]);
	iq_map_release(&generaliser.skeletons);
	iq_map_release(&generaliser.words);
	iq_buf_release(&generaliser.skeleton);
	free(generaliser.groups);
	return rc;
}
