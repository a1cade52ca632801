/* Feeds files to a fuzz target without a fuzzer: replay_main FILE|DIRECTORY... Each entry of a directory is one input.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Inputs larger than this were not made by a fuzzer. */
#define MAX_INPUT_BYTES (64u << 20)

static int replay_file(const char *path)
{
	struct iq_buf buf = IQ_BUF_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	int rc = iq_file_read(path, MAX_INPUT_BYTES, &buf, &error);

	if (rc < 0) {
		(void)fprintf(stderr, "%s\n", error.message);
	} else {
		/* An allocation of exactly its size: reading beyond it is then seen. */
		uint8_t *data = malloc(buf.len ? buf.len : 1);

		if (data && buf.len)
			memcpy(data, buf.data, buf.len);
		rc = data ? LLVMFuzzerTestOneInput(data, buf.len) : IQ_ERR_NOMEM;
		free(data);
	}
	iq_buf_release(&buf);
	return rc;
}

static int replay_directory(const char *path, unsigned *inputs)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	int rc = 0;

	if (!directory)
		return IQ_ERR_IO;
	while (rc == 0 && (entry = readdir(directory))) {
		char *child = iq_path_join(path, entry->d_name);

		if (child && entry->d_name[0] != '.') {
			rc = replay_file(child);
			++*inputs;
		}
		free(child);
	}
	(void)closedir(directory);
	return rc;
}

int main(int argc, char **argv)
{
	unsigned inputs = 0;

	for (int i = 1; i < argc; i++) {
		struct stat info;
		int rc = IQ_ERR_NOT_FOUND;

		if (stat(argv[i], &info) == 0) {
			rc = S_ISDIR(info.st_mode) ? replay_directory(argv[i], &inputs) : replay_file(argv[i]);
			inputs += !S_ISDIR(info.st_mode);
		}
		if (rc != 0) {
			(void)fprintf(stderr, "%s: failed\n", argv[i]);
			return 1;
		}
	}
	/* A corpus that has gone missing is no success. */
	(void)printf("%u inputs\n", inputs);
	return inputs == 0;
}
