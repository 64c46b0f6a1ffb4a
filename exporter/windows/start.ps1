# Calls the LogVM again and again: qrexec-client-vm.exe returns at once and tells nobody of a refusal.
#
# A task that starts with Windows runs it (install.ps1).

param([string] $Client = "$env:ProgramFiles\Invisible Things Lab\Qubes Tools\bin\qrexec-client-vm.exe")

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2

$state = "$PSScriptRoot\state"
[void] (New-Item -ItemType Directory -Force -Path $state)
$files = Get-ChildItem "$PSScriptRoot\*.cs" | ForEach-Object { $_.FullName }
Add-Type -Path $files -ReferencedAssemblies @('System.Core', 'System.Xml')
$pace = New-Object Logchain.Pace
$dice = New-Object Random
$program = "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File $PSScriptRoot\export.ps1"

while ($true) {
    if (-not [Logchain.Program]::Runs($state)) {
        Remove-Item -Force -ErrorAction SilentlyContinue "$state\answered"
        & $Client "@default|logchain.Append+eventlog|(null)|$program" > $null 2>&1
        Start-Sleep -Seconds 30 # no exporter by then: refused, or no LogVM, or it ended already
    }
    while ([Logchain.Program]::Runs($state)) { Start-Sleep -Seconds 2 }
    Start-Sleep -Seconds $pace.Next((Test-Path "$state\answered"), $dice.NextDouble())
}
