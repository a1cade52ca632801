/* How many events a second one core takes through the automaton of an order alone: automaton-rate SPEC EVENTS
 *
 * The letters of legal sequences, in the order in which 400 instances that are open at the same time would give them; each step is one
 * look-up in the table of sets of states and a look at what may be said of the new one, as it is when the checker follows an instance. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/spec.h"

#define OPEN 400u
#define LETTERS (1u << 16)

/* A random walk that the order accepts: a letter that leads on, whichever comes up. */
static int walk(struct iq_automaton *automaton, iq_states start, uint8_t *letters, uint32_t symbols)
{
	iq_states states[OPEN];
	int rc = 0;

	for (size_t i = 0; i < OPEN; i++)
		states[i] = start;
	for (size_t i = 0; i < LETTERS && rc == 0; i++) {
		struct iq_states_facts facts = { 0 };
		iq_states next = start;

		for (unsigned tries = 0; tries < 64 && !facts.any_alive && rc == 0; tries++) {
			letters[i] = (uint8_t)((uint32_t)rand() % symbols);
			rc = iq_states_step(automaton, states[i % OPEN], letters[i], &next);
			if (rc == 0)
				rc = iq_states_facts(automaton, next, &facts);
		}
		states[i % OPEN] = facts.complete ? start : next;
	}
	return rc;
}

/* A step that ends an instance, after which another begins, or that nobody took before. */
static int take_slowly(struct iq_automaton *automaton, iq_states start, iq_states from, uint32_t letter,
		       iq_states *ret_next)
{
	struct iq_states_facts facts = { 0 };
	int rc = iq_states_step(automaton, from, letter, ret_next);

	if (rc == 0)
		rc = iq_states_facts(automaton, *ret_next, &facts);
	if (rc == 0 && facts.complete)
		*ret_next = start;
	return rc;
}

static uint64_t follow(struct iq_automaton *automaton, iq_states start, const uint8_t *letters, uint64_t events)
{
	const struct iq_steps *steps = iq_automaton_steps(automaton);
	iq_states states[OPEN];
	uint64_t sum = 0;

	for (size_t i = 0; i < OPEN; i++)
		states[i] = start;
	for (uint64_t done = 0; done < events; done += LETTERS)
		for (size_t i = 0, at = 0; i < LETTERS; i++, at = at + 1 == OPEN ? 0 : at + 1) {
			iq_states next = iq_steps_next(steps, states[at], letters[i]);

			if ((next == IQ_STATES_UNKNOWN || !(steps->marks[next] & IQ_MARK_ON)) &&
			    take_slowly(automaton, start, states[at], letters[i], &next) < 0)
				return 0;
			states[at] = next;
			sum += next;
		}
	return sum;
}

int main(int argc, char **argv)
{
	struct iq_error error = IQ_ERROR_INIT;
	static uint8_t letters[LETTERS];
	const uint64_t events = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	struct iq_spec *spec = NULL;
	const struct iq_rule *order;
	int64_t begun;
	uint64_t sum;

	if (events == 0 || iq_spec_load(argv[1], &spec, &error) < 0) {
		(void)fprintf(stderr, "automaton-rate SPEC EVENTS: %s\n", error.message);
		return 2;
	}
	order = &spec->first->rules[0];
	if (walk(order->automaton, order->start, letters, iq_automaton_symbols(order->automaton)) < 0)
		return 1;
	begun = iq_clock_monotonic();
	sum = follow(order->automaton, order->start, letters, events);
	(void)printf("%.0f\n", (double)events * 1e9 / (double)(iq_clock_monotonic() - begun));
	iq_spec_free(spec);
	return sum == 0;
}
