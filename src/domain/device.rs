//! The class of the device on which a page was answered. It is read from the browser's user agent,
//! which is not stored.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceClass {
    Phone,
    Tablet,
    Computer,
    /// The browser does not identify its device.
    Unknown,
}

impl DeviceClass {
    pub const ALL: [DeviceClass; 4] =
        [DeviceClass::Phone, DeviceClass::Tablet, DeviceClass::Computer, DeviceClass::Unknown];

    pub fn as_str(self) -> &'static str {
        match self {
            DeviceClass::Phone => "phone",
            DeviceClass::Tablet => "tablet",
            DeviceClass::Computer => "computer",
            DeviceClass::Unknown => "unknown",
        }
    }

    pub fn from_name(name: &str) -> Option<DeviceClass> {
        DeviceClass::ALL.into_iter().find(|class| class.as_str() == name)
    }

    /// Parses a `User-Agent` (RFC 9110, section 10.1.5). Android tablets leave «Mobile» out;
    /// HarmonyOS names itself beside or instead of Android.
    pub fn of_user_agent(agent: &str) -> DeviceClass {
        let has = |word: &str| agent.contains(word);
        if has("iPad") || has("Tablet") || (has("Android") && !has("Mobile")) {
            DeviceClass::Tablet
        } else if has("Mobile") || has("iPhone") || has("Phone") {
            DeviceClass::Phone
        } else if has("Windows") || has("Macintosh") || has("X11") || has("CrOS") {
            DeviceClass::Computer
        } else {
            DeviceClass::Unknown
        }
    }
}

impl fmt::Display for DeviceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_browsers_are_told_apart() {
        for (agent, class) in [
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 \
                    Mobile/15E148 MicroMessenger/8.0.50",
                DeviceClass::Phone,
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; PJD110) AppleWebKit/537.36 Chrome/130.0 Mobile \
                    Safari/537.36",
                DeviceClass::Phone,
            ),
            (
                "Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 Chrome/114.0 \
                    Safari/537.36 ArkWeb/4.1",
                DeviceClass::Phone,
            ),
            (
                "Mozilla/5.0 (Linux; Android 13; SM-X900) AppleWebKit/537.36 Chrome/130.0 \
                    Safari/537.36",
                DeviceClass::Tablet,
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
                DeviceClass::Tablet,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 \
                    Safari/537.36",
                DeviceClass::Computer,
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
                DeviceClass::Computer,
            ),
            ("curl/8.0", DeviceClass::Unknown),
            ("", DeviceClass::Unknown),
        ] {
            assert_eq!(DeviceClass::of_user_agent(agent), class, "{agent}");
            assert_eq!(DeviceClass::from_name(class.as_str()), Some(class));
        }
    }
}
