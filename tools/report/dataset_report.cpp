#include "report/dataset_report.h"

#include <array>
#include <cstdio>
#include <optional>
#include <utility>

#include "report/report_text.h"
#include "report/tokenizer_report.h"

namespace cria {
namespace {

constexpr std::array<std::pair<const char*, int>, 5> kQuantiles = {
    {{"min", 0}, {"median", 50}, {"90%", 90}, {"99%", 99}, {"max", 100}}};

bool has_documents(const DatasetSummary& dataset) {
  return dataset.bos >= 0 || dataset.eos >= 0;
}

// What is known of one split: from its tokens or, failing that, from dataset.json.
struct Figures {
  std::optional<int64_t> documents, bytes, never;  // never: ids of the vocabulary that do not occur
};

// The bytes of all tokens' text, in which added tokens have no part.
std::optional<int64_t> text_bytes(const ShardStatistics& statistics, const Tokenizer* tokenizer) {
  if (!tokenizer || static_cast<int64_t>(statistics.counts.size()) > tokenizer->vocab_size()) {
    return std::nullopt;
  }
  int64_t bytes = 0;
  const auto length = [&](int32_t id) {
    return statistics.count(id) * static_cast<int64_t>(tokenizer->token(id).size());
  };
  for (int32_t id = 0; id < static_cast<int32_t>(statistics.counts.size()); ++id) {
    bytes += length(id);
  }
  for (const AddedToken& added : tokenizer->added_tokens()) bytes -= length(added.id);
  return bytes;
}

Figures figures(const DatasetReport& report, size_t index) {
  const DatasetSummary& dataset = report.dataset;
  const ShardStatistics& statistics = report.splits[index].statistics;
  Figures result = {.documents = dataset.splits[index].described.documents,
                    .bytes = dataset.splits[index].described.bytes,
                    .never = {}};
  if (has_documents(dataset)) result.documents = statistics.lengths.documents();
  if (!result.bytes) result.bytes = text_bytes(statistics, dataset.tokenizer.get());
  if (dataset.vocab_size > 0) result.never = dataset.vocab_size - statistics.distinct();
  return result;
}

std::string number(std::optional<int64_t> value) {
  return value ? std::to_string(*value) : "?";
}

Json number_json(std::optional<int64_t> value) {
  return value ? Json(*value) : Json();
}

Json id_json(int32_t id) {
  return id < 0 ? Json() : Json(id);
}

// --- text

// "each 4095 '<|endoftext|>'"
std::string mark(const DatasetSummary& dataset, int32_t id) {
  const std::string token = quoted_token(dataset.tokenizer.get(), id);
  return "each " + std::to_string(id) + (token.empty() ? "" : " " + token);
}

void print_header(const DatasetReport& report) {
  const DatasetSummary& d = report.dataset;
  std::printf("dataset    %s\n", report.path.c_str());
  if (d.tokenizer) {
    std::printf("tokenizer  %s\n           %s\n", d.tokenizer_path.c_str(),
                description(*d.tokenizer).c_str());
  } else if (d.vocab_size > 0) {
    std::printf("tokenizer  unknown, %lld tokens\n", static_cast<long long>(d.vocab_size));
  } else {
    std::printf("tokenizer  unknown; --tokenizer can name it\n");
  }
  std::string documents;
  if (d.bos >= 0) documents = "begin at " + mark(d, d.bos);
  if (d.eos >= 0) documents += (documents.empty() ? "end with " : ", end with ") + mark(d, d.eos);
  if (documents.empty()) documents = "begin and end unknown; --bos-id or --eos-id can tell";
  std::printf("documents  %s\n", documents.c_str());
  for (const std::string& warning : d.warnings) std::printf("warning    %s\n", warning.c_str());
}

void print_splits(const DatasetReport& report) {
  std::printf(
      "\nsplit   shards        tokens  documents         bytes  bytes/token  never occur\n");
  for (size_t i = 0; i < report.splits.size(); ++i) {
    const DatasetSplit& split = report.dataset.splits[i];
    const Figures f = figures(report, i);
    const int64_t tokens = report.splits[i].statistics.tokens;
    std::printf("%-7s %6zu  %12lld  %9s  %12s", split.name.c_str(), split.shards.size(),
                static_cast<long long>(tokens), number(f.documents).c_str(),
                number(f.bytes).c_str());
    if (f.bytes) {
      std::printf("  %11.3f", ratio(*f.bytes, tokens));
    } else {
      std::printf("  %11s", "?");
    }
    std::printf("  %11s", number(f.never).c_str());
    if (f.never) std::printf(" (%s)", percent(*f.never, report.dataset.vocab_size).c_str());
    std::printf("\n");
    if (!split.learned) continue;
    std::printf("%14s  %12lld (%s) are learned, the others only read\n", "",
                static_cast<long long>(*split.learned), percent(*split.learned, tokens).c_str());
  }
}

void print_lengths(const DatasetReport& report) {
  if (!has_documents(report.dataset)) return;
  std::printf("\ndocument lengths in tokens\nsplit  ");
  for (const auto& [name, quantile] : kQuantiles) std::printf(" %9s", name);
  std::printf("       mean\n");
  for (size_t i = 0; i < report.splits.size(); ++i) {
    const LengthCounts& lengths = report.splits[i].statistics.lengths;
    std::printf("%-7s", report.dataset.splits[i].name.c_str());
    for (const auto& [name, percent] : kQuantiles) {
      std::printf(" %9lld", static_cast<long long>(lengths.quantile(percent)));
    }
    std::printf(" %10.1f\n", ratio(lengths.tokens(), lengths.documents()));
  }
  for (size_t i = 0; i < report.splits.size(); ++i) {
    std::vector<BarRow> rows;
    for (const auto& range : report.splits[i].statistics.lengths.powers_of_two()) {
      const std::string from = std::to_string(range.from);
      rows.push_back(
          {range.to == range.from ? from : from + "-" + std::to_string(range.to), range.documents});
    }
    std::printf("\n%s: documents by length in tokens\n", report.dataset.splits[i].name.c_str());
    print_bars(rows);
  }
}

// The first split's, and what part of each split they are.
void print_frequent(const DatasetReport& report) {
  const auto ids = report.splits.front().statistics.most_frequent(report.top);
  if (ids.empty()) return;
  std::printf("\nmost frequent tokens of %s\n    id        count",
              report.dataset.splits.front().name.c_str());
  for (const DatasetSplit& split : report.dataset.splits) std::printf("  %6s", split.name.c_str());
  std::printf("%s\n", report.dataset.tokenizer ? "  token" : "");
  for (const int32_t id : ids) {
    std::printf("%6d %12lld", id,
                static_cast<long long>(report.splits.front().statistics.count(id)));
    for (const SplitReport& split : report.splits) {
      std::printf("  %6s", percent(split.statistics.count(id), split.statistics.tokens).c_str());
    }
    const std::string token = quoted_token(report.dataset.tokenizer.get(), id);
    std::printf("%s%s\n", token.empty() ? "" : "  ", token.c_str());
  }
}

// --- JSON

Json lengths_json(const LengthCounts& lengths) {
  Json::Array histogram;
  for (const auto& range : lengths.powers_of_two()) {
    histogram.push_back(
        Json::Object{{"from", range.from}, {"to", range.to}, {"documents", range.documents}});
  }
  return Json::Object{{"min", lengths.quantile(0)},
                      {"median", lengths.quantile(50)},
                      {"mean", ratio(lengths.tokens(), lengths.documents())},
                      {"p90", lengths.quantile(90)},
                      {"p99", lengths.quantile(99)},
                      {"max", lengths.quantile(100)},
                      {"histogram", histogram}};
}

Json split_json(const DatasetReport& report, size_t index) {
  const DatasetSplit& split = report.dataset.splits[index];
  const SplitReport& r = report.splits[index];
  const Tokenizer* const tokenizer = report.dataset.tokenizer.get();
  const Figures f = figures(report, index);
  const int64_t tokens = r.statistics.tokens;
  Json::Array shards, frequent;
  for (const Shard& shard : split.shards) {
    shards.push_back(Json::Object{{"path", shard.path()}, {"tokens", shard.tokens()}});
  }
  for (const int32_t id : r.statistics.most_frequent(report.top)) {
    const int64_t count = r.statistics.count(id);
    frequent.push_back(Json::Object{{"id", id},
                                    {"text", token_json(tokenizer, id)},
                                    {"count", count},
                                    {"share", ratio(count, tokens)}});
  }
  return Json::Object{
      {"shards", shards},
      {"tokens", tokens},
      {"learned", number_json(split.learned)},
      {"documents", number_json(f.documents)},
      {"bytes", number_json(f.bytes)},
      {"bytes_per_token", f.bytes ? Json(ratio(*f.bytes, tokens)) : Json()},
      {"document_lengths",
       has_documents(report.dataset) ? lengths_json(r.statistics.lengths) : Json()},
      {"never_occur", number_json(f.never)},
      {"never_occur_share", f.never ? Json(ratio(*f.never, report.dataset.vocab_size)) : Json()},
      {"most_frequent", frequent},
      {"first_tokens", tokens_json(tokenizer, r.first)}};
}

}  // namespace

Json to_json(const DatasetReport& report) {
  const DatasetSummary& d = report.dataset;
  Json tokenizer, splits;
  if (d.tokenizer) {
    tokenizer = Json::Object{{"path", d.tokenizer_path},
                             {"kind", d.tokenizer->kind()},
                             {"vocab_size", d.tokenizer->vocab_size()}};
  }
  for (size_t i = 0; i < report.splits.size(); ++i) {
    splits.set(d.splits[i].name, split_json(report, i));
  }
  return Json::Object{{"path", report.path},
                      {"tokenizer", tokenizer},
                      {"vocab_size", d.vocab_size > 0 ? Json(d.vocab_size) : Json()},
                      {"bos_token_id", id_json(d.bos)},
                      {"eos_token_id", id_json(d.eos)},
                      {"warnings", Json::Array(d.warnings.begin(), d.warnings.end())},
                      {"splits", splits}};
}

void print(const DatasetReport& report) {
  print_header(report);
  print_splits(report);
  print_lengths(report);
  print_frequent(report);
  for (size_t i = 0; i < report.splits.size(); ++i) {
    const std::vector<int32_t>& first = report.splits[i].first;
    if (first.empty()) continue;
    print_tokens(
        report.dataset.splits[i].name + ": the first " + std::to_string(first.size()) + " tokens",
        report.dataset.tokenizer.get(), first, false);
  }
}

}  // namespace cria
