/// Which of the kernel's modules a virtual machine can use.
enum GuestModules {
    /// Directories of drivers for devices that no machine of ours has: two thirds of all modules by size.
    private static let hardware: Set<String> = [
        "sound", "net/bluetooth", "net/can", "net/ieee802154", "net/mac80211", "net/mac802154", "net/nfc",
        "net/wireless", "drivers/accel", "drivers/accessibility", "drivers/atm", "drivers/bcma", "drivers/bluetooth",
        "drivers/bus", "drivers/clk", "drivers/devfreq", "drivers/firewire", "drivers/gnss", "drivers/gpio",
        "drivers/hid", "drivers/hwmon", "drivers/i2c", "drivers/iio", "drivers/infiniband", "drivers/input/joystick",
        "drivers/input/keyboard", "drivers/input/misc", "drivers/input/mouse", "drivers/input/tablet",
        "drivers/input/touchscreen", "drivers/leds", "drivers/media", "drivers/memstick", "drivers/message",
        "drivers/mfd", "drivers/mmc", "drivers/mtd", "drivers/net/can", "drivers/net/ethernet",
        "drivers/net/hamradio", "drivers/net/ieee802154", "drivers/net/phy", "drivers/net/usb",
        "drivers/net/wireless", "drivers/net/wwan", "drivers/nfc", "drivers/parport", "drivers/phy",
        "drivers/power", "drivers/pwm", "drivers/regulator", "drivers/slimbus", "drivers/soundwire", "drivers/spi",
        "drivers/ssb", "drivers/staging", "drivers/ufs", "drivers/usb", "drivers/w1", "drivers/gpu/drm/amd",
        "drivers/gpu/drm/nouveau", "drivers/gpu/drm/radeon", "drivers/gpu/drm/sun4i", "drivers/gpu/drm/xe",
    ]

    /// - Parameter path: a module's path below the kernel's release, such as `kernel/fs/ext4/ext4.ko.xz`.
    static func isForHardware(_ path: String) -> Bool {
        let parts = path.split(separator: "/").dropFirst()
        guard path.hasPrefix("kernel/") else { return false }
        return (1..<5).contains { hardware.contains(parts.prefix($0).joined(separator: "/")) }
    }
}
