// SPDX-License-Identifier: BSD-3-Clause
// Registers the C tests with GoogleTest and forwards their reports; nothing else.
#include "xbtest.h"

#include <gtest/gtest.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace
{

struct Entry {
    std::string suite, name, file;
    int line;
    void (*body)(const void *);
    const void *argument;
};

// A function, so that it exists whichever file's constructors run first.
std::vector<Entry> &entries()
{
    static std::vector<Entry> all;
    return all;
}

std::string folder; // of the running test, made when first asked for

class Test : public testing::Test
{
  public:
    explicit Test(const Entry &entry) : entry_(entry)
    {
    }

  private:
    void TestBody() override
    {
        entry_.body(entry_.argument);
    }
    void TearDown() override
    {
        if (!folder.empty()) {
            std::error_code ignored;
            std::filesystem::remove_all(folder, ignored);
        }
        folder.clear();
    }
    Entry entry_;
};

std::string format(const char *text, va_list args)
{
    char out[8192];
    std::vsnprintf(out, sizeof out, text, args);
    return out;
}

} // namespace

void xb_test_add(const char *suite, const char *name, const char *file, int line,
                 void (*body)(const void *), const void *argument)
{
    entries().push_back({ suite, name, file, line, body, argument });
}

void xb_test_fail(const char *file, int line, const char *text, ...)
{
    va_list args;
    va_start(args, text);
    ADD_FAILURE_AT(file, line) << format(text, args);
    va_end(args);
}

void xb_test_skip(const char *file, int line, const char *text, ...)
{
    va_list args;
    va_start(args, text);
    GTEST_MESSAGE_AT_(file, line, format(text, args).c_str(), testing::TestPartResult::kSkip);
    va_end(args);
}

bool xb_test_failed(void)
{
    return testing::Test::HasFailure();
}

const char *xb_test_folder(void)
{
    if (folder.empty()) {
        std::string pattern = (std::filesystem::temp_directory_path() / "xbtest-XXXXXX").string();
        if (!mkdtemp(pattern.data()))
            ADD_FAILURE() << "mkdtemp " << pattern;
        folder = pattern;
    }
    return folder.c_str();
}

const char *xb_test_data(const char *name)
{
    static std::string path;
    path = std::string(XB_TEST_DATA) + "/" + name;
    return path.c_str();
}

const char *xb_test_program(void)
{
    return XB_TEST_PROGRAM;
}

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    for (const Entry &entry : entries())
        testing::RegisterTest(entry.suite.c_str(), entry.name.c_str(), nullptr, nullptr,
                              entry.file.c_str(), entry.line,
                              [entry]() -> testing::Test * { return new Test(entry); });
    return RUN_ALL_TESTS();
}
