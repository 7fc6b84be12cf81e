import Support

/// The monitor on the physical console (ctrl-a m): one command a line.
struct Monitor {
    private var line = InlineArray<80, UInt8>(repeating: 0)
    private var count = 0

    func prompt() { say("monitor> ") }

    mutating func receive(_ byte: UInt8, _ hart: Hart) {
        switch byte {
        case 10, 13:
            say("\n")
            if count > 0 { run(hart) }
            count = 0
            if hypervisor.pointee.console.focus == Console.monitor { prompt() }
        case 8, 127:
            guard count > 0 else { return }
            count -= 1
            say("\u{8} \u{8}")
        case 32...126 where count < 79:
            line[count] = byte
            count += 1
            hypervisor.pointee.console.write(byte)
        default: break
        }
    }

    private func run(_ hart: Hart) {
        hart.pointee.reschedule = 1
        if matches("help") { return help() }
        if matches("list") { return list() }
        if matches("statistics") { return statistics() }
        if matches("off") { powerOff(failed: false) }
        guard let index = number(1), index >= 1, index <= UInt64(hypervisor.pointee.guestCount) else {
            return say("monitor: the command is not known, or its guest: 'help' and 'list' show both\n")
        }
        let guest = hypervisor.pointee.guests + Int(index - 1)
        if matches("start") {
            guest.pointee.request()
        } else if matches("pause") {
            guest.pointee.setPaused(true)
        } else if matches("resume") {
            let wasPaused = guest.pointee.state == .paused
            guest.pointee.setPaused(false)
            if wasPaused { guest.continueDevices() }
        } else if matches("stop") {
            guest.pointee.stop(restart: false)
        } else if matches("console") {
            hypervisor.pointee.console.setFocus(Int(index - 1))
        } else if matches("weight") {
            guard let weight = number(2), weight >= 1, weight <= 65535 else {
                return say("monitor: the weight is missing or not valid; weights are 1 to 65535\n")
            }
            guest.pointee.weight = weight
        } else if matches("cap") {
            guard let cap = number(2), cap <= 800 else {
                return say("monitor: the cap is missing or not valid; caps are 0 (none) to 800 percent of a hart\n")
            }
            guest.pointee.setCap(cap)
        } else {
            say("monitor: the command is not known; 'help' lists them\n")
        }
    }

    /// Whether the line's first word is `word`.
    private func matches(_ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard count >= length, count == length || line[length] == 32 else { return false }
        for index in 0..<length where line[index] != word.utf8Start[index] { return false }
        return true
    }

    /// The number that is word `position` of the line; nil: there is none.
    private func number(_ position: Int) -> UInt64? {
        var word = 0
        var index = 0
        while index < count, word < position {
            if line[index] == 32 { word += 1 }
            index += 1
        }
        guard word == position, index < count else { return nil }
        var value: UInt64 = 0
        while index < count, line[index] != 32 {
            guard line[index] >= 48, line[index] <= 57, value < 1_000_000 else { return nil }
            value = value * 10 + UInt64(line[index] - 48)
            index += 1
        }
        return value
    }

    private func help() {
        say(
            """
            list                   guests, states, weights, caps
            statistics             time and exits of vCPUs, idle time of harts
            start N                makes a guest from its entry in the table and starts it
            pause N, resume N      holds a guest, lets it run
            stop N                 ends a guest
            console N              gives the input to a guest (also: ctrl-a N; ctrl-a m: the monitor)
            weight N W             share of processor time, 1 to 65535 (256 at first)
            cap N P                at most P percent of a hart; 0: no cap
            off                    powers the machine off

            """)
    }

    private func list() {
        for index in 0..<hypervisor.pointee.guestCount {
            let guest = hypervisor.pointee.guests + index
            say(UInt64(index + 1))
            say("  ")
            say(text: guest.pointee.name)
            say(guest.pointee.state.description)
            say(", vCPUs ")
            say(UInt64(guest.pointee.entry.vcpus))
            say(", MiB ")
            say(guest.pointee.entry.memory >> 20)
            say(", weight ")
            say(guest.pointee.weight)
            say(", cap ")
            say(guest.pointee.cap)
            say("\n")
        }
        say("free MiB ")
        say(hypervisor.pointee.memory.available >> 20)
        say("\n")
    }

    private func statistics() {
        let perMillisecond = max(hypervisor.pointee.board.timebase / 1000, 1)
        hypervisor.pointee.scheduler.forEach { vcpu in
            say(text: hypervisor.pointee.guests[Int(vcpu.pointee.guest)].name)
            say(" vCPU ")
            say(UInt64(vcpu.pointee.id))
            say(": ms ")
            say(vcpu.pointee.run_time / perMillisecond)
            say(", exits ")
            say(vcpu.pointee.exits)
            say(", switches ")
            say(vcpu.pointee.switches)
            say(", waits ")
            say(vcpu.pointee.waits)
            say("\n")
        }
        for index in 0..<hypervisor.pointee.guestCount { deviceStatistics(hypervisor.pointee.guests + index) }
        let card = hypervisor.pointee.card
        if card.pointee.isPresent {
            say("network card: frames sent ")
            say(card.pointee.sent)
            say(", received ")
            say(card.pointee.received)
            say(", dropped ")
            say(card.pointee.dropped)
            say("\n")
        }
        for index in 0..<hypervisor.pointee.board.hartCount {
            say("hart ")
            say(UInt64(index))
            say(": idle ms ")
            say(hypervisor.pointee.harts[index].idle_time / perMillisecond)
            say("\n")
        }
    }

    private func deviceStatistics(_ guest: UnsafeMutablePointer<Guest>) {
        let disk = guest.pointee.disk.counters
        if guest.pointee.disk.range != nil {
            say(text: guest.pointee.name)
            say(" disk: reads ")
            say(disk.reads)
            say(", writes ")
            say(disk.writes)
            say(", flushes ")
            say(disk.flushes)
            say(", sectors ")
            say(disk.sectors)
            say(", errors ")
            say(disk.errors)
            say("\n")
        }
        let network = guest.pointee.network.counters
        if guest.pointee.network.isPresent {
            say(text: guest.pointee.name)
            say(" network: frames sent ")
            say(network.sent)
            say(", received ")
            say(network.received)
            say(", missed ")
            say(network.missed)
            say(", refused ")
            say(network.refused)
            say("\n")
        }
    }
}
