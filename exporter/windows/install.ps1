# Copies the exporter to C:\logchain, for administrators and the system only, and starts it with Windows.
#
# Run it in an administrator's PowerShell. Run it again after an update: settings and state stay.

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2

$home_ = 'C:\logchain' # no space in it: qrexec's command line has no way to quote one
[void] (New-Item -ItemType Directory -Force -Path $home_)
# Below C:\ every user may create files otherwise, and this runs as the system.
icacls $home_ /inheritance:r /grant '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' > $null
if ($LASTEXITCODE -ne 0) { throw "cannot restrict $home_" }

Copy-Item -Force "$PSScriptRoot\*.cs", "$PSScriptRoot\export.ps1", "$PSScriptRoot\start.ps1" $home_
if (-not (Test-Path "$home_\settings.psd1")) { Copy-Item "$PSScriptRoot\settings.psd1" $home_ }

$action = New-ScheduledTaskAction -Execute 'powershell.exe' `
    -Argument "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File $home_\start.ps1"
$task = @{
    TaskName  = 'logchain'
    Action    = $action
    Trigger   = New-ScheduledTaskTrigger -AtStartup
    Principal = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -RunLevel Highest
    Settings  = New-ScheduledTaskSettingsSet -ExecutionTimeLimit ([TimeSpan]::Zero) -RestartCount 99 `
        -RestartInterval ([TimeSpan]::FromMinutes(5))
}
[void] (Register-ScheduledTask -Force @task)
Start-ScheduledTask -TaskName 'logchain'
"logchain: installed in $home_. See $home_\state\trouble if nothing comes to the LogVM."
