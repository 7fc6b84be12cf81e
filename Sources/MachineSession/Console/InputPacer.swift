/// Decides when a guest gets the next bytes of a script that is piped into its console.
///
/// A console is made for typing. A guest that is still booting, or whose login program empties the line first, loses what
/// comes early; a guest whose programs do not read loses what comes in bulk, because its kernel keeps about 64 KiB
/// and drops the rest. So a script is handed over as a patient person would type it:
/// - Nothing before the guest asks for input and shows a prompt, or asks and has been silent for long, or asks so often
///   that it does nothing but wait for input.
/// - Then at most `window` bytes ahead of the guest's echo, which its kernel sends when it takes a byte over.
/// - Without an echo, a little more after a wait that doubles each time.
/// - After the last byte, an end-of-transmission character at the next prompt, and again at later ones, because the end of
///   a script is an end for every program that asks. In the middle of a line such a character means something else, so a
///   last line without its newline gets one.
///
/// Times are nanoseconds of any steady clock.
package struct InputPacer {
    package static let endOfTransmission: UInt8 = 0x04
    /// How long output rests before an unfinished line counts as a prompt.
    package static let promptRest: UInt64 = 150_000_000
    /// How long a guest that asks for input is silent before it counts as listening without a prompt.
    package static let silence: UInt64 = 3_000_000_000
    /// Looks for input, without output between them, of a guest that only waits for input. A loop over a serial port's
    /// status makes so many within a millisecond; a countdown that can be interrupted makes some hundred a second.
    package static let busyAsks = 1000
    /// The same as `silence` once the script has begun, for its end.
    package static let endSilence: UInt64 = 1_000_000_000
    /// Bytes ahead of the echo: far below what a tty keeps.
    package static let window = 1024
    package static let retryBytes = 256
    package static let firstRetry: UInt64 = 250_000_000
    package static let longestRetry: UInt64 = 30_000_000_000
    /// Ends that a guest gets at most; one that asks more often is a login loop.
    package static let mostEnds = 16

    private var prompt = PromptWatcher()
    private var lastOutput: UInt64
    /// When the guest asked for input first: before that nobody listens. A driver that sends sees the state of the receiver
    /// beside that of the transmitter, so only a second look without output between them is a question.
    private var firstAsked: UInt64?
    /// The same since the last output: a boot loader that looked at the receiver is not the silent kernel after it.
    private var askedInSilence: UInt64?
    /// Looks for input since the last output.
    private var asks = 0
    private var begun = false

    /// Bytes the guest got whose echo has not come, oldest first, from `echoed` on.
    private var unechoed: [UInt8] = []
    private var echoed = 0
    /// Control characters that the guest got since the last echo. Their own echoes differ from one program to the next, or
    /// do not come, so that only the echo of a later character shows that the guest has taken them.
    private var unseenControls = 0
    private var retryWait = InputPacer.firstRetry
    private var retryTime: UInt64 = 0

    private var lastByte: UInt8?
    private var ends = 0
    /// A prompt counts only when the guest wrote it after the last input it got.
    private var outputSinceInput = true

    package init(now: UInt64) {
        lastOutput = now
    }

    /// Takes note of what the guest wrote.
    package mutating func guestWrote(_ bytes: [UInt8], at now: UInt64) {
        lastOutput = now
        asks = 0
        askedInSilence = nil
        outputSinceInput = true
        for byte in bytes {
            prompt.follow(byte)
            if echoed < unechoed.count && unechoed[echoed] == byte {
                echoed += 1
                unseenControls = 0
                retryWait = Self.firstRetry
                retryTime = now &+ retryWait
            }
        }
        if echoed >= Self.window {
            unechoed.removeFirst(echoed)
            echoed = 0
        }
    }

    /// The bytes for a guest that has room for `limit`, out of `script`; `isEnded` when the script has no more than that.
    package mutating func next(limit: Int, from script: inout ByteQueue, isEnded: Bool, at now: UInt64) -> [UInt8] {
        if limit > 0 && asks < Self.busyAsks { asks += 1 }
        if asks >= 2 && firstAsked == nil { firstAsked = now }
        if asks >= 2 && askedInSilence == nil { askedInSilence = now }
        guard limit > 0, script.count > 0 || isEnded, begins(at: now) else { return [] }
        if script.count > 0 {
            let bytes = script.take(min(limit, allowance(at: now)))
            note(bytes, at: now)
            return bytes
        }
        if let last = lastByte, last != UInt8(ascii: "\n") {
            note([UInt8(ascii: "\n")], at: now)
            return [UInt8(ascii: "\n")]
        }
        guard let time = endTime, now >= time else { return [] }
        ends += 1
        outputSinceInput = false
        return [Self.endOfTransmission]
    }

    /// When `next` should be asked again though nothing else happens; nil when there is no such time.
    package func wakeTime(waiting: Int, isEnded: Bool) -> UInt64? {
        guard waiting > 0 || isEnded else { return nil }
        // Who has not asked yet is told that there is something to ask for.
        if !begun { return beginTime ?? 0 }
        if waiting > 0 { return unechoedCount < Self.window ? 0 : retryTime }
        if let last = lastByte, last != UInt8(ascii: "\n") { return 0 }
        return endTime
    }

    private var unechoedCount: Int { unechoed.count - echoed + unseenControls }

    private var beginTime: UInt64? {
        guard let firstAsked else { return nil }
        if prompt.showsPrompt { return max(lastOutput &+ Self.promptRest, firstAsked) }
        guard let askedInSilence else { return nil }
        return max(lastOutput, askedInSilence) &+ Self.silence
    }

    private mutating func begins(at now: UInt64) -> Bool {
        if !begun, let beginTime { begun = now >= beginTime || asks >= Self.busyAsks }
        return begun
    }

    /// When the next end-of-transmission character is due; nil when that depends on the guest's output.
    private var endTime: UInt64? {
        if ends >= Self.mostEnds { return nil }
        if prompt.showsPrompt && outputSinceInput { return lastOutput &+ Self.promptRest }
        return ends == 0 ? max(lastOutput, retryTime) &+ Self.endSilence : nil
    }

    private mutating func allowance(at now: UInt64) -> Int {
        if unechoedCount >= Self.window && now >= retryTime {
            // The echo is off, or the guest does not read: give up on the oldest bytes' echo and be slower.
            let controls = min(unseenControls, Self.retryBytes)
            unseenControls -= controls
            echoed += Self.retryBytes - controls
            retryWait = min(retryWait * 2, Self.longestRetry)
            retryTime = now &+ retryWait
        }
        return max(0, Self.window - unechoedCount)
    }

    private mutating func note(_ bytes: [UInt8], at now: UInt64) {
        guard let last = bytes.last else { return }
        lastByte = last
        outputSinceInput = false
        if unechoed.count == echoed {
            unechoed.removeAll(keepingCapacity: true)
            echoed = 0
        }
        if retryTime < now &+ retryWait { retryTime = now &+ retryWait }
        let before = unechoed.count
        unechoed += bytes.lazy.filter { $0 >= 0x20 && $0 != 0x7f || $0 == UInt8(ascii: "\n") }
        unseenControls += bytes.count - (unechoed.count - before)
    }
}
