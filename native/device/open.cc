#include "device/open.h"

#include <algorithm>
#include <stdexcept>

#include "core/error.h"
#include "device/counted.h"
#include "device/driver.h"
#include "device/emulated.h"
#ifdef AT_CUDA
#include "device/cuda/cuda.h"
#endif

namespace at::device {

namespace {

// Why no card can be used, whichever it is; empty: they can.
std::string why_no_cards() {
  if (!driver().why_not.empty()) return driver().why_not;
#ifdef AT_CUDA
  return cuda::why_not();
#else
  return "the compiled core has no code for cards (it was built without AT_CUDA=ON)";
#endif
}

// Units per multiprocessor by compute capability (CUDA C++ Programming Guide, arithmetic
// throughput), two operations each per clock.
Rates rates_of(const Driver::Card& card) {
  const bool data_center = card.minor == 0 && card.major != 12;
  const int float32 = card.major == 8 && card.minor == 0 ? 64 : 128;
  const int float64 = data_center ? (card.major == 8 ? 32 : 64) : 2;
  const double ticks = 2 * card.clock * card.multiprocessors;
  return {ticks * float32, ticks * float64, 2 * card.memory_clock * card.memory_bits / 8};
}

// The number in "cuda" or "cuda:1"; -1 for other words.
int card_of(const std::string& device) {
  const std::string word = "cuda";
  if (device == word) return 0;
  const std::string prefix = word + ":";
  const std::string digits =
      device.compare(0, prefix.size(), prefix) == 0 ? device.substr(prefix.size()) : std::string();
  const bool number =
      !digits.empty() && digits.size() < 4 &&
      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  return number ? std::stoi(digits) : -1;
}

int checked_card(const std::string& device) {
  const int card = card_of(device);
  if (card < 0)
    throw Error("BAD_ARGUMENT",
                "Expected cpu, cuda, cuda:N or emulated for device but received " + device);
  const auto refuse = [&](const std::string& why) {
    throw Error("NO_DEVICE", "The device " + device + " cannot be used: " + why);
  };
  const std::string why = why_no_cards();
  if (!why.empty()) refuse(why);
  const auto count = static_cast<int>(driver().cards.size());
  if (card >= count)
    refuse("the driver has " + std::to_string(count) + (count == 1 ? " card" : " cards"));
  return card;
}

}  // namespace

std::vector<Facts> find_cards() {
  const std::string why = why_no_cards();
  std::vector<Facts> cards;
  for (const Driver::Card& card : driver().cards)
    cards.push_back(
        {"cuda:" + std::to_string(cards.size()), card.name, card.memory, why, rates_of(card)});
  if (cards.empty()) cards.push_back({"cuda", "", 0, why, {}});
  return cards;
}

std::string describe_driver() {
  const int version = driver().version;
  if (version == 0) return "";
  return "CUDA " + std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

void check_device(const std::string& device) {
  if (device != "cpu" && device != "emulated") checked_card(device);
}

std::shared_ptr<Stream> open_stream(const std::string& device, size_t limit) {
  if (device == "cpu") return nullptr;
  if (device == "emulated") return open_emulated(limit);
  // As much as an H200 has.
  if (device == "counted") return open_counted(size_t{140} << 30);
  const int card = checked_card(device);
#ifdef AT_CUDA
  return cuda::open(card);
#else
  throw std::logic_error("card " + std::to_string(card) + " without code for cards");
#endif
}

}  // namespace at::device
