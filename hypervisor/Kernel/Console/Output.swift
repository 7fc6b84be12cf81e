import Support

// Text of the hypervisor's own, on the physical console. Without a heap there is no String: texts are literals, numbers and
// bytes in place.

func say(_ text: StaticString) {
    for index in 0..<text.utf8CodeUnitCount { hypervisor.pointee.console.write(text.utf8Start[index]) }
}

/// A text that ends with a zero.
func say(text: UnsafeMutablePointer<UInt8>) {
    var index = 0
    while text[index] != 0, index < 256 {
        hypervisor.pointee.console.write(text[index])
        index += 1
    }
}

func say(_ number: UInt64) {
    if number >= 10 { say(number / 10) }
    hypervisor.pointee.console.write(UInt8(48 + number % 10))
}

func say(hexadecimal number: UInt64) {
    say("0x")
    var shift = UInt64(64)
    while shift > 0 {
        shift -= 4
        if number >> shift == 0, shift > 0 { continue }
        hypervisor.pointee.console.write(hexadecimalDigit(number >> shift))
    }
}

/// The low four bits of a number as a character.
func hexadecimalDigit(_ number: UInt64) -> UInt8 {
    let digit = UInt8(number & 15)
    return digit < 10 ? 48 + digit : 87 + digit
}

/// A network address, byte 0 in bits 40 to 47: "02:00:00:00:00:01".
func say(address: UInt64) {
    var shift = UInt64(48)
    while shift > 0 {
        shift -= 4
        hypervisor.pointee.console.write(hexadecimalDigit(address >> shift))
        if shift & 7 == 0, shift > 0 { say(":") }
    }
}

/// The hypervisor cannot continue: a defect of its own, or a board that it cannot run on.
func fatal(_ subject: StaticString, _ finding: StaticString) -> Never {
    sayEarly("\nhypervisor: ")
    sayEarly(subject)
    sayEarly(": ")
    sayEarly(finding)
    sayEarly("; the machine stops; image offset ")
    sayEarly(hexadecimal: hv_return_address() &- hv_address_of_image_start())
    sayEarly("\n")
    powerOff(failed: true)
}

/// A trap in the hypervisor itself; trap.S gives it a stack that no other code uses.
@c(hypervisor_fault)
public func fault(_ cause: UInt64, _ place: UInt64, _ value: UInt64) -> Never {
    if hypervisorState != nil {
        say("\nhypervisor: trap in the hypervisor: scause ")
        say(hexadecimal: cause)
        say(" sepc ")
        say(hexadecimal: place)
        say(" image ")
        say(hexadecimal: hv_address_of_image_start())
        say(" stval ")
        say(hexadecimal: value)
    }
    fatal("a trap", "in the hypervisor itself")
}

/// One byte by the firmware: SBI's console_putchar, which every firmware has.
func sayEarly(_ byte: UInt8) { _ = hv_sbi(1, 0, UInt64(byte), 0, 0, 0, 0) }

private func sayEarly(_ text: StaticString) {
    for index in 0..<text.utf8CodeUnitCount { sayEarly(text.utf8Start[index]) }
}

private func sayEarly(hexadecimal number: UInt64) {
    var shift = UInt64(64)
    while shift > 0 {
        shift -= 4
        sayEarly(hexadecimalDigit(number >> shift))
    }
}

/// SBI SRST: shutdown, without or with a failure.
func powerOff(failed: Bool) -> Never {
    _ = hv_sbi(0x5352_5354, 0, 0, failed ? 1 : 0, 0, 0, 0)
    while true { hv_wait_for_interrupt() }
}
